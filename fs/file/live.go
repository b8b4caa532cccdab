package file

import "strings"

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

// newPatience begins the flush timeout of one close or fsync, which every progress of a
// commit of the file resets.
func (f *File) newPatience() *patience {
	p := startPatience(f.t.o.FlushTimeout, func(p *patience) {
		f.waiting.Lock()
		defer f.waiting.Unlock()
		delete(f.waiting.set, p)
	})
	f.waiting.Lock()
	defer f.waiting.Unlock()
	if f.waiting.set == nil {
		f.waiting.set = make(map[*patience]struct{})
	}
	f.waiting.set[p] = struct{}{}
	return p
}

// progress is told of bytes that the server took.
func (f *File) progress() {
	f.waiting.Lock()
	defer f.waiting.Unlock()
	for p := range f.waiting.set {
		p.reset()
	}
}

// Attr returns the attributes of a file of which this host, not the bucket, has the truth:
// a process has it open for write, or a commit is pending.
func (t *Table) Attr(key string) (Attr, bool) {
	t.mu.Lock()
	f := t.files[key]
	t.mu.Unlock()
	if f == nil {
		return Attr{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.named(key) != nil || !f.live() || !f.exists() {
		return Attr{}, false
	}
	return f.attr, true
}

// Unsaved returns the files directly in a directory that were made here and are not in the
// bucket yet, with their attributes, by key.
func (t *Table) Unsaved(dirKey string) map[string]Attr {
	var found map[string]Attr
	for _, f := range t.below(dirKey) {
		f.mu.Lock()
		if name := strings.TrimPrefix(f.key, dirKey); f.base.ETag == "" && f.state.pending() && !strings.Contains(name, "/") {
			if found == nil {
				found = make(map[string]Attr)
			}
			found[f.key] = f.attr
		}
		f.mu.Unlock()
	}
	return found
}
