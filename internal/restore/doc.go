// Package restore brings back what was: a version of a file, a directory as it was at a time, what
// was deleted, what was there before the last changes. It plans by the history of the names, and
// changes them through a change.Session, each under its lease and only if it is still what the plan
// has seen. So a plan that was stopped in the middle is made and run anew, and does the rest.
//
// Nothing is lost by it: what is brought back becomes a new version, and what is removed gets a
// deletion on top. It needs a bucket whose versioning is on, because with suspended versioning a
// new version takes the place of an older one.
package restore
