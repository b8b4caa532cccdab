package file

import (
	"path"
	"slices"
	"strings"

	"github.com/latchfs/latchfs/fs/lease"
)

// What the rule of a name and its directory (LOCKS P2) makes and takes away: a new name whose
// directory has become a file is taken back, and the marker of a directory that turned out not to
// be empty is put back.

// takenBack tells whether a delete marker takes back what the same mount has made there: its
// directory has, or may get, a file of its name.
func (w *witness) takenBack(v *edition) bool {
	made := v.prev
	if !made.there() || made.prev.there() || made.by != v.by && len(v.by.recovering) == 0 {
		return false
	}
	// Outside a directory nothing is taken back but the copy of a rename whose source has changed.
	if !strings.Contains(lease.Name(v.key), "/") && !w.underway(v.by, v.key, "rename") {
		return false
	}
	if w.history(v.key).acked(v.seq) >= made.n {
		return false
	}
	for _, d := range w.drafts {
		switch p, ok := d.place(v.key); {
		case !ok || p.base != made:
		case len(d.at) > 1: // the copy of a rename, which fails then
			d.leave(v.key)
		default:
			d.at[0].base, d.landed, d.displaced = made.prev, 0, true
		}
	}
	if made.made != nil {
		made.made.made = nil
	}
	return true
}

// putBack tells whether a marker is put back as it was.
func (w *witness) putBack(v *edition) bool {
	if !strings.HasSuffix(v.key, "/") || v.prev == nil || !v.prev.deleted || v.body != "" {
		return false
	}
	same := func(old *edition) bool { return old.there() && old.attr.Mode == v.attr.Mode }
	if !slices.ContainsFunc(w.history(v.key).editions[:v.n], same) {
		return false
	}
	return slices.ContainsFunc(w.ops, func(o *op) bool {
		return w.authors(v.by, o.m) && (o.kind == "rmdir" && o.key == v.key || strings.HasPrefix(o.key, v.key) || strings.HasPrefix(o.to, v.key))
	}) || slices.ContainsFunc(w.drafts, func(d *draft) bool { return w.authors(v.by, d.m) && d.below(v.key) })
}

// below tells whether the draft has a name in a directory.
func (d *draft) below(dirKey string) bool {
	return slices.ContainsFunc(d.at, func(p place) bool { return strings.HasPrefix(p.key, dirKey) && p.key != dirKey })
}

// beside tells whether the draft may have a kept file of this name: in its own directory or, since
// that has become a file, above it.
func (d *draft) beside(of string) bool {
	return slices.ContainsFunc(d.at, func(p place) bool {
		return p.key == of || path.Base(p.key) == path.Base(of) && strings.HasPrefix(p.key, of[:len(of)-len(path.Base(of))])
	})
}

// contested tells whether a new file of a draft that is in the bucket may have to go, since a file
// was made of its directory, or others have or had something to do with that name. Programs on
// one mount do both here in the same moment; a kernel would not let them.
func (w *witness) contested(d *draft, p place) bool {
	i := strings.LastIndexByte(p.key, '/')
	if i < 0 || !p.base.there() || p.base.prev.there() {
		return false
	}
	name := p.key[:i]
	others := func(v *edition) bool { return v.by != d.m }
	return len(w.history(name).editions) > 0 || slices.ContainsFunc(w.history(name+"/").editions, others) ||
		slices.ContainsFunc(w.ops, func(o *op) bool { return o.m != d.m && (lease.Name(o.key) == name || lease.Name(o.to) == name) })
}

// refusedRemoval notes that the bucket does not let anybody remove what is under a key. It may be
// called from any goroutine.
func (w *witness) refusedRemoval(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v := w.history(key).current(); v != nil {
		v.stuck = true
	}
}

// oneThingInside checks, once everything has ended, that no file has a name inside. One stays if
// whoever made it had lost its lease before he could take it back, may not, or others wrote on top. Where
// something else is inside, such as a kept file, the name is a directory too, and may have more.
func (w *witness) oneThingInside() {
	keys := w.mem.Keys()
	for _, key := range keys {
		i := strings.IndexByte(lease.Name(key), '/')
		of, _ := kept(key)
		if i < 0 || of != "" || slices.ContainsFunc(keys, func(k string) bool { return k != key && strings.HasPrefix(k, key[:i+1]) }) {
			continue
		}
		file, inside := w.history(key[:i]).current(), w.history(key).current()
		if file.there() && !inside.stayed() && !file.cameBack() && !inside.cameBack() && file.author() != nil && inside.author() != nil && !inside.author().leases.everLost(lease.Name(key)) {
			w.errorf("%q is a file, and there is %s", key[:i], inside)
		}
	}
}

// stayed tells whether what is there grew from what the bucket did not let anybody remove.
func (v *edition) stayed() bool {
	for ; v.there(); v = v.prev {
		if v.stuck {
			return true
		}
	}
	return false
}

// author is the mount that has made all of an object since nothing was there, nil if several did,
// or somebody without a mount.
func (v *edition) author() *mount {
	for ; v.prev.there(); v = v.prev {
		if v.by != v.prev.by {
			return nil
		}
	}
	return v.by
}
