package file

import (
	"log/slog"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/seldom"
	"github.com/latchfs/latchfs/store"
)

// done counts one writer less. What the last one leaves is saved in the background, and then
// the lease is released.
func (f *File) done() {
	f.mu.Lock()
	defer f.unlock()
	f.core.writers--
	if f.core.writers == 0 {
		f.startDrain()
	}
}

// end ends the live time of a file that nobody writes and that has nothing to save: its
// handles read the base from now on, and the lease is released. f.op is held.
func (f *File) end() {
	t := f.t
	t.mu.Lock()
	f.mu.Lock()
	var later []func()
	if hold, ok := f.core.end(); ok {
		local := f.take()
		later = append(later, func() { t.discard(local) }, func() { hold.Release(0) })
		f.repin()
		f.unpin()
	}
	later = append(later, t.forget(f))
	f.unlock()
	t.mu.Unlock()
	for _, do := range later {
		do()
	}
}

// repin makes the handles that followed the file read its base, and those whose version it
// grew from, if only attributes changed: the bytes are the same, and the next writer is
// followed by whoever has the version that it begins with. f.mu is held.
func (f *File) repin() {
	c := &f.core.content
	for h := range f.handles {
		if h.follows() || h.joined && !h.info.Base().Same(c.base.Base()) {
			if h.pin != nil {
				h.pin.Close()
			}
			h.info, h.attr, h.pin = c.base, c.attr, f.pinned()
		}
		h.joined = false
	}
}

// unused tells whether nothing but a caller between enter and leave can need the file.
// f.mu is held.
func (f *File) unused() bool {
	return len(f.handles) == 0 && f.core.writers == 0 && f.core.live() == nil
}

// sweep forgets the file if nobody uses it. It looks before it takes Table.mu, so that a
// slow write of one file, which holds File.mu, does not hold up all the others.
func (t *Table) sweep(f *File) {
	f.mu.Lock()
	unused := f.unused()
	f.unlock()
	if !unused {
		return
	}
	t.mu.Lock()
	f.mu.Lock()
	drop := t.forget(f)
	f.unlock()
	t.mu.Unlock()
	drop()
}

// forget takes a File that nobody uses out of the table. What it returns is to be called
// once no mutex is held. t.mu and f.mu are held.
func (t *Table) forget(f *File) func() {
	if f.users > 0 || !f.unused() {
		return func() {}
	}
	if t.files[f.core.key] == f {
		delete(t.files, f.core.key)
	}
	f.unpin()
	local := f.take()
	if _, gone := f.core.state.(unlinked); gone {
		return func() { t.discard(local) }
	}
	return func() {
		if local != nil { // parked, or in conflict and not saved: recovery finds it
			local.Close()
		}
	}
}

// detach takes a file whose core has just lost the name out of the table: the table entry and
// the lease belong to the name. Its handles keep the file. f.op is held.
func (t *Table) detach(f *File) {
	t.mu.Lock()
	f.mu.Lock()
	t.changedHere.note(f.core.key, store.Base{}, f.core.content.attr.Ctime)
	if t.files[f.core.key] == f {
		delete(t.files, f.core.key)
	}
	unused := t.forget(f)
	f.unlock()
	t.mu.Unlock()
	unused()
}

// take gives up the spool file of a file that does not need it any more; the caller
// discards it once no mutex is held. f.mu is held.
func (f *File) take() (local *spool.File) {
	local, f.local = f.local, nil
	return local
}

// discard removes what take returned.
func (t *Table) discard(local *spool.File) {
	if local == nil {
		return
	}
	if err := local.Drop(); err != nil {
		t.said.Say(seldom.Kind{Op: "discard"}, slog.LevelWarn, "a spool file could not be removed", "", "err", err)
	}
}
