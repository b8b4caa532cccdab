package file

import (
	"fmt"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/store"
)

// A commit makes a version of what a file held at one moment. It is sealed when a close or
// fsync asks, also while an earlier one is being sent; it is sent when its turn comes, again
// and again until the bucket has it, and each time under the condition that the base is still
// what was left by the commit before it. The fields but the last ones are constant.
type commit struct {
	write store.Write // without key and base, which are known at its turn
	snap  spool.Snapshot
	copy  bool // only the properties changed
	local *spool.File

	// The fields below are guarded by File.mu.

	covers changes
	upto   uint64 // how many changes of the file it contains, with all before it
	try    *try   // that somebody waits for; nil if nobody does

	// The fields below belong to whoever has File.op.

	single   bool // the single attempt without a lease was made
	unleased bool // an attempt without a lease may have landed
	// unanswered: a request of a try that was given up at shutdown may still land.
	unanswered bool
}

// A try is the next outcome of a commit, for those who wait for it.
type try struct {
	done   chan struct{} // closed when err is set
	err    error
	askers map[*Handle]bool // who is told by his own call
}

// seal fixes what the file holds now as something to be saved and journals it. It returns the
// commit whose landing means that everything is in the bucket; nil if everything is. It fails
// with the reason why the file is detached, if a handle has something that will never be
// saved under its name. f.mu is held.
func (f *File) seal() (*commit, error) {
	l := f.core.live()
	c := &f.core.content
	last := c.last()
	switch {
	case l == nil:
		return nil, f.core.reason()
	case l.ended && c.pending():
		if last != nil && c.head().unanswered {
			return nil, fmt.Errorf("saving %q: %w", f.core.key, store.ErrUnknownOutcome)
		}
		return nil, fmt.Errorf("saving %q: %w", f.core.key, ErrClosed)
	case !c.tail.any:
		return last, nil
	}
	props, err := c.props()
	if err != nil {
		return nil, err
	}
	if err := f.spooled(); err != nil {
		return nil, err
	}
	if c.tail.bytes {
		props = props.Rewritten(!f.local.Snapshot().UsesBase())
	}
	m := &commit{
		write: store.Write{ID: store.NewWriteID(), Props: props},
		copy:  !c.tail.bytes && (c.base.ETag != "" || last != nil),
		local: f.local,
	}
	m.write.Audit = f.audit(m.copy)
	s := spool.Seal{ID: m.write.ID, Base: c.base.Base(), Props: props, Copy: m.copy, Audit: m.write.Audit}
	if last != nil {
		s.After, s.Base = last.write.ID, store.Base{}
	}
	if m.snap, err = f.local.Seal(s); err != nil {
		return nil, err
	}
	f.core.seal(m)
	return m, nil
}
