package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/latchfs/latchfs/store"
)

// Mkdir makes the marker of a directory, whose key ends in "/". It fails with fs.ErrExist
// if anything has the name, with ErrNotDir if its parent has become a file, and with
// store.ErrNotFound if that is gone.
func (t *Table) Mkdir(ctx context.Context, dirKey string, mode, uid, gid uint32) (Attr, error) {
	return t.make(ctx, dirKey, "", Attr{Mode: ModeDir | mode&modePerm, UID: uid, GID: gid})
}

// A SymlinkRequest makes a symbolic link.
type SymlinkRequest struct {
	Key, Target string
	UID, GID    uint32
	Number      uint64 // inode number; 0: that of the key
}

// Symlink makes a symbolic link: an object whose content is the target. It fails as Mkdir
// does.
func (t *Table) Symlink(ctx context.Context, r SymlinkRequest) (Attr, error) {
	return t.make(ctx, r.Key, r.Target, Attr{Mode: ModeSymlink | 0o777, UID: r.UID, GID: r.GID, Number: r.Number})
}

// make puts a small object where nothing is.
func (t *Table) make(ctx context.Context, key, body string, a Attr) (Attr, error) {
	c, err := t.claim(ctx, key, NameWait, t.free(key))
	if err == nil && !c.absent() {
		c.end(0)
		err = fs.ErrExist
	}
	if err != nil {
		return Attr{}, fmt.Errorf("making %q: %w", key, err)
	}
	now := time.Now()
	p := store.Posix{Mode: a.Mode, UID: a.UID, GID: a.GID, Mtime: now, Has: store.HasMode | store.HasUID | store.HasGID | store.HasMtime}
	meta, err := p.Put(withNumber(store.Props{}, key, cmp.Or(a.Number, Number(key, 0))).Meta)
	if err != nil {
		c.end(0)
		return Attr{}, err // cannot happen: there is room for our own keys
	}
	w := store.Write{Key: key, ID: store.NewWriteID(), Props: store.Props{Meta: meta}, Audit: store.Audit{User: userOf(ctx), What: store.WhatWrite}}
	var info store.Info
	c.hold.Bar()
	err = t.carryOut(nameChange{
		keys: []string{key}, permit: c.hold, release: c.release,
		run: func(ctx context.Context, p store.Permit, waiting waiter) error {
			w.Unanswered = waiting.unanswered
			var err error
			info, err = t.put(ctx, p, w, store.Body{ReaderAt: strings.NewReader(body), Size: int64(len(body))})
			if err == nil {
				err = c.settled(ctx, info, NameWait)
			}
			if err == nil {
				t.changedHere.note(key, info.Base(), now)
				t.changed(key, &info)
			}
			return err
		},
	})
	switch {
	case errors.Is(err, store.ErrConflict):
		return Attr{}, fmt.Errorf("making %q: %w", key, fs.ErrExist)
	case err != nil:
		return Attr{}, fmt.Errorf("making %q: %w", key, err)
	}
	return t.Attributes(info), nil
}

// MaxTarget is the longest target of a symlink that Linux takes, in bytes (PATH_MAX without
// the final NUL).
const MaxTarget = 4095

// Readlink returns the target of a symlink. It fails with ErrStale if the name is another kind of
// file by now.
func (t *Table) Readlink(ctx context.Context, key string) (string, error) {
	info, err := t.o.Objects.Head(ctx, key, "")
	if err != nil {
		return "", fmt.Errorf("reading the link %q: %w", key, err)
	}
	if AttrOf(info, t.o.Defaults).Mode&ModeType != ModeSymlink {
		return "", fmt.Errorf("reading the link %q: %w", key, ErrStale)
	}
	if info.Size > MaxTarget {
		return "", fmt.Errorf("reading the link %q: %w", key, ErrInvalid)
	}
	pin := newPin(t.o.Reader.Pin(info))
	defer pin.Close()
	b := make([]byte, info.Size)
	if _, err := pin.ReadFull(ctx, b, 0); err != nil {
		return "", fmt.Errorf("reading the link %q: %w", key, err)
	}
	return string(b), nil
}
