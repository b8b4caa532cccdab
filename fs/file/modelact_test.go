package file

import (
	"path"
	"slices"

	"github.com/latchfs/latchfs/fs/lease"
)

// The names of the model: files that somebody else changes too, and names that become files and
// directories.
var (
	sharedNames = []string{"a", "b"}
	ownNames    = []string{"n", "n/x", "c"}
	fileNames   = slices.Concat(sharedNames, sharedNames, ownNames)
	dirNames    = []string{"n/", "c/"}
)

// act does one thing.
func (m *model) act() {
	x, key := pick(m.r, m.alive()), pick(m.r, fileNames)
	switch n := m.r.IntN(100); {
	case n < 26:
		m.openSome(x, key)
	case n < 70:
		m.useSome()
	case n < 73:
		m.unlinkSome(x, key)
	case n < 78:
		m.renameSome(x, key, m.chance(4))
	case n < 80:
		if dir := pick(m.r, dirNames); !m.directoryLocked(x, dir) {
			m.mkdir(x, dir, 0o700)
		}
	case n < 81:
		if dir := pick(m.r, dirNames); !m.directoryLocked(x, dir) {
			m.rmdir(x, dir)
		}
	case n < 82:
		if !m.directoryLocked(x, key) {
			m.symlink(x, key, "target "+m.text())
		}
	case n < 87:
		m.changeSome(x, key)
	case n < 92:
		m.foreign(pick(m.r, sharedNames))
	case !m.calm:
		m.trouble()
	}
}

func (m *model) openSome(x *mount, key string) {
	if m.underway(x, key, "setattr") {
		return
	}
	how := pick(m.r, []string{"r", "r+", "r+", "a", "w", "c"})
	if how == "c" && m.directoryLocked(x, key) {
		return
	}
	m.witness.open(x, key, how, uint32(0o600+m.r.IntN(0o200)), func(d *descriptor) { m.open = append(m.open, d) })
}

func (m *model) unlinkSome(x *mount, key string) {
	if !m.underway(x, key, "setattr") && !m.directoryLocked(x, key) {
		m.unlink(x, key)
	}
}

func (m *model) renameSome(x *mount, from string, noReplace bool) {
	to := pick(m.r, fileNames)
	if to != from && !m.underway(x, from, "setattr") && !m.underway(x, to, "setattr") && !m.directoryLocked(x, from, to) {
		m.rename(x, from, to, noReplace)
	}
}

// directoryLocked tells whether the kernel would make a call wait that changes names: one at a
// time may do that in a directory.
func (m *model) directoryLocked(x *mount, keys ...string) bool {
	for _, o := range m.ops {
		if o.m != x || o.loose || !slices.Contains([]string{"open c", "unlink", "rename", "mkdir", "rmdir", "symlink"}, o.kind) {
			continue
		}
		for _, key := range keys {
			if path.Dir(lease.Name(key)) == path.Dir(lease.Name(o.key)) || o.to != "" && path.Dir(lease.Name(key)) == path.Dir(o.to) {
				return true
			}
		}
	}
	return false
}

// changeSome changes attributes or the size by name. The witness could not tell in which order
// it and other calls were served.
func (m *model) changeSome(x *mount, key string) {
	if m.underway(x, key) {
		return
	}
	m.change(x, key, m.someChange())
}

func (m *model) someChange() Change {
	if m.chance(3) {
		size := int64(m.r.IntN(40))
		return Change{Size: &size}
	}
	mode := uint32(m.r.IntN(0o1000))
	return Change{Mode: &mode}
}

// useSome does something with an open file. What is done at once has to come before or after
// all else, so that the witness knows the order.
func (m *model) useSome() {
	m.judge()
	if m.failed {
		return
	}
	m.open = slices.DeleteFunc(m.open, func(x *descriptor) bool { return x.closed || x.m.dead })
	if len(m.open) == 0 {
		return
	}
	x := pick(m.r, m.open)
	switch n := m.r.IntN(20); {
	case n < 8 && x.writes() && !m.underway(x.m, x.Key(), "setattr"):
		m.write(x, m.text(), m.r.IntN(30))
	case n < 9 && x.writes() && !m.underway(x.m, x.Key(), "setattr"):
		m.setattr(x, m.someChange())
	case n < 12:
		m.read(x)
	case n < 14:
		m.flush(x, "fsync", false)
	case n < 15:
		m.flush(x, "flush", m.chance(2))
	case x.busy == 0: // the kernel waits for what is under way
		m.close(x)
	}
}

// close closes a descriptor; a program that was killed does it without a word.
func (m *model) close(x *descriptor) {
	x.closed = true
	if m.chance(10) {
		m.logf("release %s on %s (%s)", x.Key(), x.m.name, x.label())
		x.Release()
		return
	}
	m.flush(x, "close", false)
}

// foreign is a writer that knows nothing of locks.
func (m *model) foreign(key string) {
	m.mu.Lock()
	editions, cur := m.history(key).editions, m.history(key).current()
	m.mu.Unlock()
	n := m.r.IntN(8)
	if !m.versioned {
		n = m.r.IntN(4) // without versions the same bytes may not be told from the old ones
	}
	switch {
	case n < 3:
		text := m.text()
		m.logf("foreign put %s %s", key, text)
		m.put(key, text, "")
	case n < 4 && cur.there():
		m.logf("foreign delete %s", key)
		m.remove(key)
	case n < 6 && cur.there():
		m.logf("foreign change of the metadata of %s", key)
		m.put(key, cur.body, m.text())
	case n < 7 && cur.there():
		m.logf("foreign delete and put of %s", key)
		m.remove(key)
		m.put(key, cur.body, "")
	case n < 8 && len(editions) > 0:
		if old := pick(m.r, editions); old.there() {
			m.logf("foreign put %s of old bytes", key)
			m.put(key, old.body, "")
		}
	}
}
