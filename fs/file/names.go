package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/latchfs/latchfs/store"
)

// Mkdir makes the marker of a directory, whose key ends in "/". It fails with fs.ErrExist
// if there is one.
func (t *Table) Mkdir(ctx context.Context, dirKey string, mode, uid, gid uint32) (Attr, error) {
	return t.make(ctx, dirKey, "", ModeDir|mode&modePerm, uid, gid)
}

// Symlink makes a symbolic link: an object whose content is the target.
func (t *Table) Symlink(ctx context.Context, key, target string, uid, gid uint32) (Attr, error) {
	return t.make(ctx, key, target, ModeSymlink|0o777, uid, gid)
}

// make puts a small object where nothing is.
func (t *Table) make(ctx context.Context, key, body string, mode, uid, gid uint32) (Attr, error) {
	f, err := t.enter(key)
	if err != nil {
		return Attr{}, err
	}
	if err := f.lockName(ctx, key); err != nil {
		f.leave()
		return Attr{}, fmt.Errorf("making %q: %w", key, err)
	}
	hold, base, err := f.claim(ctx)
	if err == nil && (!base.Absent() || f.onlyHere()) {
		hold.release(0)
		err = fs.ErrExist
	}
	if err != nil {
		f.unlockOp()
		f.leave()
		return Attr{}, fmt.Errorf("making %q: %w", key, err)
	}
	now := time.Now()
	p := store.Posix{Mode: mode, UID: uid, GID: gid, Mtime: now, Has: store.HasMode | store.HasUID | store.HasGID | store.HasMtime}
	meta, err := p.Put(nil)
	if err != nil {
		f.giveBack(hold, false)
		return Attr{}, err // cannot happen: there is room for our own keys
	}
	w := store.Write{Key: key, ID: store.NewWriteID(), Props: store.Props{Meta: meta}}
	var info store.Info
	err = t.settle([]string{key}, hold, func(ctx context.Context, p store.Permit, waiting waiter) error {
		w.Unanswered = waiting.unanswered
		var err error
		info, err = t.put(ctx, p, w, store.Body{ReaderAt: strings.NewReader(body), Size: int64(len(body))})
		return err
	}, func(keep bool) { f.giveBack(hold, keep) })
	switch {
	case errors.Is(err, store.ErrConflict):
		return Attr{}, fmt.Errorf("making %q: %w", key, fs.ErrExist)
	case err != nil:
		return Attr{}, fmt.Errorf("making %q: %w", key, err)
	}
	return AttrOf(info, t.o.Defaults), nil
}

// MaxTarget is the longest target of a symlink that Linux takes, in bytes (PATH_MAX without
// the final NUL).
const MaxTarget = 4095

// Readlink returns the target of a symlink.
func (t *Table) Readlink(ctx context.Context, key string) (string, error) {
	info, err := t.o.Objects.Head(ctx, key, "")
	if err != nil {
		return "", fmt.Errorf("reading the link %q: %w", key, err)
	}
	if AttrOf(info, t.o.Defaults).Mode&ModeType != ModeSymlink || info.Size > MaxTarget {
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

// Rmdir removes the marker of a directory that has no entries. A directory without a
// marker and without entries is gone already.
func (t *Table) Rmdir(ctx context.Context, dirKey string) error {
	f, err := t.enter(dirKey)
	if err != nil {
		return err
	}
	if err := f.lockName(ctx, dirKey); err != nil {
		f.leave()
		return fmt.Errorf("removing %q: %w", dirKey, err)
	}
	hold, base, err := f.claim(ctx)
	if err == nil {
		if err = t.empty(ctx, dirKey); err != nil {
			hold.release(0)
		}
	}
	if err != nil {
		f.unlockOp()
		f.leave()
		return fmt.Errorf("removing %q: %w", dirKey, err)
	}
	if base.Absent() {
		f.giveBack(hold, false)
		t.changed(dirKey, nil)
		return nil
	}
	if err := f.remove(hold, base); err != nil {
		return fmt.Errorf("removing %q: %w", dirKey, err)
	}
	return nil
}

// empty fails with ErrNotEmpty if anything but the marker is below the directory, in the
// bucket or only here.
func (t *Table) empty(ctx context.Context, dirKey string) error {
	for _, f := range t.below(dirKey) {
		f.mu.Lock()
		here := f.hold != nil && f.exists()
		f.mu.Unlock()
		if here {
			return ErrNotEmpty
		}
	}
	page, err := t.o.Objects.List(ctx, store.ListOptions{Prefix: dirKey, Max: 2})
	if err != nil {
		return err
	}
	for _, i := range page.Objects {
		if i.Key != dirKey {
			return ErrNotEmpty
		}
	}
	return nil
}

// below returns the files in the table whose keys are below the directory.
func (t *Table) below(dirKey string) (fs []*File) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, f := range t.files {
		if key != dirKey && strings.HasPrefix(key, dirKey) {
			fs = append(fs, f)
		}
	}
	return fs
}
