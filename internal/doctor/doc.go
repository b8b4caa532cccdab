// Package doctor looks at a bucket and its lock table as a mount does, and says what it finds
// there: one line for each check, with what to do where something is not as it should be.
//
// Run makes all checks, in a fixed order. A check that cannot be made is a line too, and the
// others go on, unless nobody answers at all. Nothing of a user is ever changed. What a check
// means is told for users in docs/DOCTOR.md.
//
// Where is what?
//
//	the order of the checks, what ends them early   run.go
//	what a line is made of                          line.go
//	is the bucket there, does it keep versions      bucket.go
//	the clocks of this host and the server          clock.go
//	bond and lock table                             table.go
//	which actions are granted                       permissions.go, rights.go
//	does the server do what a mount relies on       server.go
//	keys that a mount shows otherwise or not at all keys.go, scan.go
//	what was begun and never ended                  left.go
package doctor
