package file

import "fmt"

// unlock gives mu back. Builds with the race detector check the invariants first.
func (f *File) unlock() {
	if checking {
		if err := f.check(); err != nil {
			panic(err)
		}
	}
	f.mu.Unlock()
}

// check returns which invariant of doc.go does not hold, nil if all do. f.mu is held.
func (f *File) check() error {
	c := &f.core
	l := c.live()
	_, asleep := c.state.(idle)
	writers := 0
	for h := range f.handles {
		if h.released {
			return fmt.Errorf("I6: %q has a released handle", c.key)
		}
		if h.write {
			writers++
		}
	}
	switch {
	case c.writers < writers:
		return fmt.Errorf("I6: %q counts %d writers, %d handles may write", c.key, c.writers, writers)
	case asleep && c.content.pending():
		return fmt.Errorf("I1: %q is idle and has something to save", c.key)
	case l != nil && l.hold == nil:
		return fmt.Errorf("I1: %q is live without a lease", c.key)
	case c.content.saved > c.content.n:
		return fmt.Errorf("I5: %q has saved %d of %d changes", c.key, c.content.saved, c.content.n)
	case l == nil || f.local == nil:
		return nil
	case !c.pending() && f.local.Size() != c.content.base.Size:
		return fmt.Errorf("I7: %q has nothing to save, the spool has %d bytes, the base %d", c.key, f.local.Size(), c.content.base.Size)
	case f.local.Size() != c.content.attr.Size:
		return fmt.Errorf("I3: %q has size %d, the spool %d", c.key, c.content.attr.Size, f.local.Size())
	}
	return nil
}
