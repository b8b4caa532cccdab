package fs

import (
	"sync"

	"github.com/latchfs/latchfs/store"
)

// A change of names may be answered with an error and land all the same: its outcome was not
// known in time (LOCKS P4.2). So a removal and a move remember which nodes they are about, and
// give the names to them whenever the change lands, from whatever goroutine. Meanwhile a node
// may have been forgotten, and a name may belong to another node; then that one keeps it.

// A landing is what removal and move share: when a change lands after its caller got an error,
// the kernel has to be told.
type landing struct {
	mu             sync.Mutex
	landed, failed bool
	tell           func() // calls the kernel, which may wait for the lock of a directory
}

// land notes that the change is in the bucket. It is called at most once.
func (l *landing) land() { l.note(&l.landed) }

// fail notes that the caller gets an error. It is called at most once.
func (l *landing) fail() { l.note(&l.failed) }

func (l *landing) note(what *bool) {
	l.mu.Lock()
	*what = true
	late := l.landed && l.failed
	l.mu.Unlock()
	if late {
		go l.tell()
	}
}

// A removal is an unlink or rmdir.
type removal struct {
	landing
	f   *front
	d   *dirNode
	key string
	n   node // that had the name when the removal was asked for, or nil
}

func (d *dirNode) removing(name, key string) *removal {
	r := &removal{f: d.f, d: d, key: key, n: d.f.nodeOf(key)}
	r.tell = func() {
		if r.n == nil {
			d.NotifyEntry(name)
		} else {
			d.NotifyDelete(name, r.n.EmbeddedInode())
		}
	}
	return r
}

// gone is called, once, when the bucket does not have the name any more.
func (r *removal) gone() {
	switch n := r.n.(type) {
	case *fileNode:
		n.dropFrom(r.key)
	case *dirNode:
		r.f.mu.Lock()
		r.f.retire(r.key, n)
		r.f.mu.Unlock()
	}
	r.d.removals.Add(1)
	r.d.changed()
	r.land()
}

// A move is a rename of a file.
type move struct {
	landing
	f              *front
	oldKey, newKey string
	from, to       *dirNode
	newName        string
	n, over        *fileNode // that had the names when the move was asked for, or nil
}

func (d *dirNode) moving(name, oldKey string, to *dirNode, newName, newKey string) *move {
	m := &move{f: d.f, oldKey: oldKey, newKey: newKey, from: d, to: to, newName: newName}
	m.n, _ = d.f.nodeOf(oldKey).(*fileNode)
	m.over, _ = d.f.nodeOf(newKey).(*fileNode)
	m.tell = func() {
		d.NotifyEntry(name)
		to.NotifyEntry(newName)
	}
	return m
}

// moved is called, once, when the rename has landed: the version was, which the old name had,
// is gone, and the new name has the version now.
func (m *move) moved(was, now store.Base) {
	if !m.rename(was, now) {
		// The kernel believes, or will believe, that the new name is the node's. This waits
		// until the rename was answered.
		go m.to.NotifyEntry(m.newName)
	}
	m.from.removals.Add(1)
	m.from.changed()
	if m.to != m.from {
		m.to.changed()
	}
	m.land()
}

// rename lets the node of the old name go on under the new one. It tells whether that is still
// what the kernel may believe of the new name.
func (m *move) rename(was, now store.Base) bool {
	if m.over != nil {
		m.over.dropFrom(m.newKey)
	}
	if m.n == nil {
		return true
	}
	same := m.n.isVersion(was, m.newKey)
	m.f.mu.Lock()
	defer m.f.mu.Unlock()
	same = same && m.f.isFree(m.newKey, now)
	m.n.mu.Lock()
	defer m.n.mu.Unlock()
	if m.n.nameless || m.n.key != m.oldKey {
		return true // it has another fate
	}
	m.f.retire(m.oldKey, m.n)
	m.n.key, m.n.parent, m.n.name = m.newKey, m.to, m.newName
	if !same {
		m.n.nameless = true
		return false
	}
	if !m.n.forgotten {
		m.f.current[m.newKey] = m.n
	}
	if m.n.pages.Same(m.n.seen) && !m.n.dirtied {
		m.n.pages = now // a rename changes no bytes
	}
	m.n.seen, m.n.attr.Base = now, now
	return true
}

// isFree tells whether a file may take a name that somebody may have looked up meanwhile: if
// nothing was found, or its own new version. f.mu is held.
func (f *front) isFree(key string, version store.Base) bool {
	n, ok := f.current[key]
	if !ok {
		return true
	}
	found, ok := n.(*fileNode)
	if !ok {
		return false
	}
	found.mu.Lock()
	defer found.mu.Unlock()
	return found.seen.Same(version)
}

// isVersion tells whether the node shows the version, which was under its name, or the live
// file that is under the key now.
func (n *fileNode) isVersion(was store.Base, key string) bool {
	if n.follows(key) {
		return true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.dirtied && n.seen.Same(was)
}
