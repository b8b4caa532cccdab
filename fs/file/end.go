package file

import "time"

// done undoes begin: one writer less. The last one's leftovers are committed behind, and
// then the lease is released.
func (f *File) done() {
	f.mu.Lock()
	f.writers--
	last := f.writers == 0
	f.mu.Unlock()
	if last {
		f.t.work.Go(f.finish)
	}
}

// retryPause is the pause before a commit that has no caller is tried again.
const retryPause = time.Second

// finish commits what the last writer left and ends the live time of the file.
func (f *File) finish() {
	ctx := f.t.background
	var said time.Time // when it was last said that this fails
	for {
		if f.lockOp(ctx) != nil {
			return
		}
		f.mu.Lock()
		idle, dirty := f.writers == 0, f.state == Dirty
		f.mu.Unlock()
		var err error
		if idle && dirty {
			if err = f.commit(ctx); err != nil {
				f.remember(nil, err)
			}
		}
		if idle {
			f.end()
		}
		f.unlockOp()
		f.mu.Lock()
		again := f.writers == 0 && f.state == Dirty
		key := f.key
		f.mu.Unlock()
		if err != nil && ctx.Err() == nil && time.Since(said) >= reportEvery {
			said = time.Now()
			f.t.o.Log.Error("a closed file could not be saved", "key", key, "err", err)
		}
		if !again {
			return
		}
		if pause(ctx, retryPause, nil) != nil {
			return
		}
	}
}

// end ends the live time of a file that nobody writes and that has nothing to commit:
// its handles read the base from now on, and the lease is released. f.op is held.
func (f *File) end() {
	t := f.t
	t.mu.Lock()
	f.mu.Lock()
	if f.writers > 0 || f.state.pending() || !f.live() {
		f.mu.Unlock()
		t.mu.Unlock()
		return
	}
	var unused []func()
	if !f.state.detached() {
		local, hold := f.take(), f.hold
		f.hold = nil
		unused = append(unused, func() { t.discard(local) }, func() { hold.release(0) })
		f.settleHandles()
		f.unpin()
		f.written, f.stale, f.set = false, false, 0
	}
	unused = append(unused, t.forget(f))
	f.mu.Unlock()
	t.mu.Unlock()
	for _, u := range unused {
		u()
	}
}

// settleHandles makes the handles that followed the file read its base, and those whose
// version it grew from, if only attributes changed: the bytes are the same, and the next
// writer is followed by whoever has the version that it begins with. f.mu is held.
func (f *File) settleHandles() {
	for h := range f.handles {
		if h.follows() || h.joined && !h.info.Base().Same(f.base.Base()) {
			if h.pin != nil {
				h.pin.Close()
			}
			h.info, h.attr, h.pin = f.base, f.attr, f.pinned()
		}
		h.joined = false
	}
}

// unused tells whether nothing but a caller between enter and leave can need the file.
// f.mu is held.
func (f *File) unused() bool {
	return len(f.handles) == 0 && f.writers == 0 && f.hold == nil && !f.state.pending()
}

// sweep forgets the file if nobody uses it. It looks before it takes Table.mu, so that a
// slow write of one file, which holds File.mu, does not hold up all the others.
func (t *Table) sweep(f *File) {
	f.mu.Lock()
	unused := f.unused()
	f.mu.Unlock()
	if !unused {
		return
	}
	t.mu.Lock()
	f.mu.Lock()
	drop := t.forget(f)
	f.mu.Unlock()
	t.mu.Unlock()
	drop()
}

// forget takes a File that nobody uses out of the table. What it returns is to be called
// once no mutex is held. t.mu and f.mu are held.
func (t *Table) forget(f *File) func() {
	if f.users > 0 || !f.unused() {
		return func() {}
	}
	if t.files[f.key] == f {
		delete(t.files, f.key)
	}
	f.unpin()
	local := f.take()
	if f.state == Unlinked {
		return func() { t.discard(local) }
	}
	return func() {
		if local != nil { // parked, or in conflict and not saved: recovery finds it
			local.Close()
		}
	}
}

// detach takes the name away from a file: the table entry and the lease belong to the
// name. Its handles keep it. f.op is held.
func (t *Table) detach(f *File) {
	t.mu.Lock()
	f.mu.Lock()
	if t.files[f.key] == f {
		delete(t.files, f.key)
	}
	hold := f.hold
	f.hold = nil
	unused := t.forget(f)
	f.mu.Unlock()
	t.mu.Unlock()
	if hold != nil {
		hold.release(0)
	}
	unused()
}
