package file

import (
	"fmt"

	"github.com/latchfs/latchfs/store"
)

// A content is what a file holds: the base, and the local changes on top of it in the order
// in which they reach the bucket. First come the seals, each of which a close or fsync asked
// to save and which becomes a version of its own; then the tail, which nobody asked to save
// yet. The bytes themselves are in the spool. A content is part of a core.
type content struct {
	// base is the version that the file grew from; its zero ETag means that nothing was
	// there. It changes only by the file's own commits (LOCKS P3).
	base store.Info
	// attr are the attributes as they are now, with all local changes.
	attr Attr
	// seals are oldest first. At most the first of them is being sent.
	seals []*commit
	tail  changes
	// n counts the changes so far; those up to saved are in the bucket, in versions that have
	// replaced nothing unseen.
	n, saved uint64
}

// changes say what differs.
type changes struct {
	any bool
	// set are the attributes that are to be kept in the metadata.
	set store.PosixField
	// bytes: the content differs, or the file is new.
	bytes bool
	// owed: the content was changed through a handle, whose close or fsync answers for it.
	// Other changes came by name, and who made them waits for their commit.
	owed bool
	user string // who made the last of them, for the audit; "" if that is not known
}

// and adds later changes to earlier ones.
func (a changes) and(b changes) changes {
	if !b.any {
		return a
	}
	return changes{any: true, set: a.set | b.set, bytes: a.bytes || b.bytes, owed: a.owed || b.owed, user: b.user}
}

// pending tells that something is not in the bucket.
func (c *content) pending() bool { return c.tail.any || len(c.seals) > 0 }

// head is the seal whose turn it is, nil if there is none.
func (c *content) head() *commit {
	if len(c.seals) == 0 {
		return nil
	}
	return c.seals[0]
}

// last is the newest seal, nil if there is none.
func (c *content) last() *commit {
	if len(c.seals) == 0 {
		return nil
	}
	return c.seals[len(c.seals)-1]
}

func (c *content) changed(what changes) {
	what.any = true
	c.tail = c.tail.and(what)
	c.n++
}

func (c *content) seal(m *commit) {
	m.covers, m.upto = c.tail, c.n
	c.seals = append(c.seals, m)
	c.tail = changes{}
}

func (c *content) landed(m *commit, info store.Info, well bool) {
	c.seals = c.seals[1:]
	if well {
		c.saved = m.upto
	}
	c.rebase(info)
}

// rebase makes a version of our own the one that the file grew from.
func (c *content) rebase(info store.Info) {
	c.base = info
	c.attr.Base = info.Base()
}

// drop forgets what was to be saved, but not the attributes: bytes that are kept have them.
func (c *content) drop() {
	c.seals, c.tail = nil, changes{set: c.set()}
}

// set are the attributes that differ from those in the metadata of the base.
func (c *content) set() store.PosixField {
	set := c.tail.set
	for _, m := range c.seals {
		set |= m.covers.set
	}
	return set
}

// unsavedBytes tells whether bytes are not in the bucket. A file that was only created has
// none; one that was to be saved with some, and was emptied since, was more than that.
func (c *content) unsavedBytes() bool {
	all, created := c.tail, c.base.ETag == "" && c.attr.Size == 0
	for _, m := range c.seals {
		all, created = all.and(m.covers), created && m.snap.Size() == 0
	}
	return all.bytes && !created
}

// owed tells whether a close or fsync answers for anything that is not in the bucket.
func (c *content) owed() bool {
	for _, m := range c.seals {
		if m.covers.owed {
			return true
		}
	}
	return c.tail.owed
}

// props are those of the version before, with the attributes in them that the next one will have.
func (c *content) props() (store.Props, error) {
	props := c.base.Props
	if last := c.last(); last != nil {
		props = last.write.Props
	}
	props = withNumber(props, c.base.Key, c.attr.Number)
	p := store.ReadPosix(props.Meta)
	// The mtime always: a rewrite gives a new LastModified, which is what a file without
	// one shows.
	p.Has |= c.set() | store.HasMtime
	p.Mode, p.UID, p.GID = c.attr.Mode, c.attr.UID, c.attr.GID
	p.Mtime, p.Atime = c.attr.Mtime, c.attr.Atime
	if c.attr.Mode&ModeType == ModeDir {
		props.Meta = store.WithMtimeSet(props.Meta, p, c.attr.MtimeSet)
	}
	meta, err := p.Put(props.Meta)
	if err != nil {
		return store.Props{}, fmt.Errorf("metadata of %q: %w", c.base.Key, err)
	}
	props.Meta = meta
	return props, nil
}
