//go:build race

package file

// checking: builds with the race detector check the invariants whenever File.mu is given back.
const checking = true
