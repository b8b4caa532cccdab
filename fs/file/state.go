package file

import "fmt"

// A State says where the local changes of a File are.
type State uint8

const (
	// Clean: there are none; the file is its base.
	Clean State = iota
	// Dirty: there are changes that no running commit covers.
	Dirty
	// Flushing: a commit runs and covers all of them.
	Flushing
	// FlushingDirty: a commit runs, and there are newer ones.
	FlushingDirty
	// Conflicted: somebody else's version is under the name; ours is in a conflict file.
	Conflicted
	// Unlinked: the name was removed or given to another file; nothing will be committed.
	Unlinked
	// Parked: the bucket refuses the commit; the bytes stay in the spool.
	Parked
)

var stateNames = [...]string{"clean", "dirty", "flushing", "flushing and dirty", "conflicted", "unlinked", "parked"}

func (s State) String() string { return stateNames[s] }

// An event is something that changes the State.
type event uint8

const (
	changed    event = iota // bytes, size or attributes
	sealed                  // a commit of everything began
	landed                  // the commit is in the bucket
	failed                  // the commit ended without a version; the changes are still here
	conflicted              // somebody else's version was found
	unlinked                // the name is not ours any more
	parked                  // the bucket refuses
)

var eventNames = [...]string{"changed", "sealed", "landed", "failed", "conflicted", "unlinked", "parked"}

func (e event) String() string { return eventNames[e] }

// transitions is the whole life of a File; what is not in it cannot happen.
var transitions = map[State]map[event]State{
	Clean:         {changed: Dirty, conflicted: Conflicted, unlinked: Unlinked},
	Dirty:         {changed: Dirty, sealed: Flushing, conflicted: Conflicted, unlinked: Unlinked},
	Flushing:      {changed: FlushingDirty, landed: Clean, failed: Dirty, conflicted: Conflicted, parked: Parked},
	FlushingDirty: {changed: FlushingDirty, landed: Dirty, failed: Dirty, conflicted: Conflicted, parked: Parked},
	Conflicted:    {unlinked: Conflicted},
	Unlinked:      {changed: Unlinked, unlinked: Unlinked},
	Parked:        {unlinked: Parked},
}

// next returns the state after e. An impossible event is a bug of this package, and going
// on could lose data: it panics.
func (s State) next(e event) State {
	n, ok := transitions[s][e]
	if !ok {
		panic(fmt.Sprintf("file: %s in state %s", e, s))
	}
	return n
}

// pending tells that something has yet to reach the bucket.
func (s State) pending() bool { return s == Dirty || s == Flushing || s == FlushingDirty }

// detached tells that the name is not this file's any more.
func (s State) detached() bool { return s == Conflicted || s == Unlinked || s == Parked }
