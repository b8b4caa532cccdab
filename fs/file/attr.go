package file

import (
	"strconv"
	"strings"
	"time"

	"github.com/latchfs/latchfs/store"
)

// Type bits of st_mode, as inode(7) gives them; they are the same on every Linux
// architecture and stand in the file-permissions metadata.
const (
	ModeType    = 0o170000
	ModeRegular = 0o100000
	ModeDir     = 0o040000
	ModeSymlink = 0o120000
	modePerm    = 0o7777

	modeSetUID    = 0o4000
	modeSetGID    = 0o2000
	modeGroupExec = 0o010
)

// An Attr is what stat(2) shows of a file, directory or symlink, and the version that
// it belongs to.
type Attr struct {
	Mode     uint32 // full st_mode, type included
	UID, GID uint32
	Size     int64 // bytes
	Mtime    time.Time
	Atime    time.Time
	Ctime    time.Time
	// MtimeSet names the setting of a directory's mtime (store.MtimeSet).
	MtimeSet string
	// Number is the inode number that the file is known by after each mount and on every host.
	Number uint64
	// Base is the version in the bucket that these attributes are of or grew from; the
	// zero Base for a file that is not in the bucket yet.
	Base store.Base
}

// Defaults are the owner and the permission bits of objects whose metadata do not say.
type Defaults struct {
	UID, GID          uint32
	FileMode, DirMode uint32 // permission bits only
}

// AttrOf is the one translation from an object to attributes, without what only this mount
// knows (Table.Attributes). A key that ends in "/" is
// a directory whatever its metadata say; on any other key only a symlink's type bits are
// believed, everything else is a regular file.
func AttrOf(i store.Info, d Defaults) Attr {
	p := store.ReadPosix(i.Props.Meta)
	a := Attr{
		Mode: ModeRegular | d.FileMode&modePerm,
		UID:  d.UID, GID: d.GID,
		Size:   i.Size,
		Mtime:  i.ModTime(),
		Number: numberOf(i),
		Base:   i.Base(),
	}
	dir := strings.HasSuffix(i.Key, "/")
	if dir {
		a.Mode = ModeDir | d.DirMode&modePerm
		a.Size = 0
		a.MtimeSet = store.MtimeSet(i.Props.Meta)
	}
	if p.Has&store.HasMode != 0 {
		typ := a.Mode & ModeType
		if !dir && p.Mode&ModeType == ModeSymlink {
			typ = ModeSymlink
		}
		a.Mode = typ | p.Mode&modePerm
	}
	if p.Has&store.HasUID != 0 {
		a.UID = p.UID
	}
	if p.Has&store.HasGID != 0 {
		a.GID = p.GID
	}
	a.Atime, a.Ctime = a.Mtime, bucketCtime(i.LastModified, a.Mtime)
	if p.Has&store.HasAtime != 0 {
		a.Atime = p.Atime
	}
	return a
}

// WithoutSetIDs is the mode of a file after a write by somebody who may not leave these bits.
// Set-group-id without execution by the group means something else, and stays.
func (a Attr) WithoutSetIDs() uint32 {
	m := a.Mode &^ modeSetUID
	if m&modeGroupExec != 0 {
		m &^= modeSetGID
	}
	return m
}

// A Change is what a SETATTR asks for; nil fields stay as they are.
type Change struct {
	Size     *int64
	Mode     *uint32 // permission bits; type bits are ignored
	UID, GID *uint32
	Mtime    *time.Time
	Atime    *time.Time
	// Entries is the mtime that a directory is shown with because its entries changed later than
	// its marker; else zero. The marker gets it, unless Mtime sets another.
	Entries time.Time
	// NoSetIDs takes the set-user-id bit of a file away, and set-group-id where the group may
	// execute it. A change of the owner does that too.
	NoSetIDs bool
	Caller   Caller
}

// attributes tells whether anything but the size is to change.
func (c Change) attributes() bool {
	return c.Mode != nil || c.UID != nil || c.GID != nil || c.Mtime != nil || c.Atime != nil || c.NoSetIDs
}

// apply returns a with the change made, and which metadata fields it sets to another
// value. The size is not its business.
func (c Change) apply(a Attr) (Attr, store.PosixField) {
	var set store.PosixField
	if !c.Entries.IsZero() && !c.Entries.Equal(a.Mtime) {
		a.Mtime, set = c.Entries, set|store.HasMtime
	}
	if c.Mode == nil && (c.NoSetIDs || c.UID != nil || c.GID != nil) && a.Mode&ModeType == ModeRegular {
		m := a.WithoutSetIDs()
		c.Mode = &m
	}
	if c.Mode != nil {
		if m := a.Mode&ModeType | *c.Mode&modePerm; m != a.Mode {
			a.Mode, set = m, set|store.HasMode
		}
	}
	if c.UID != nil && *c.UID != a.UID {
		a.UID, set = *c.UID, set|store.HasUID
	}
	if c.GID != nil && *c.GID != a.GID {
		a.GID, set = *c.GID, set|store.HasGID
	}
	dir := a.Mode&ModeType == ModeDir // other hosts may know of entries that have changed since it was set
	if c.Mtime != nil && (dir || !c.Mtime.Equal(a.Mtime)) {
		a.Mtime, set = *c.Mtime, set|store.HasMtime
		if dir {
			a.MtimeSet = strconv.FormatInt(time.Now().UnixNano(), 36)
		}
	}
	if c.Atime != nil && !c.Atime.Equal(a.Atime) {
		a.Atime, set = *c.Atime, set|store.HasAtime
	}
	return a, set
}
