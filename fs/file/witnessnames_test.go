package file

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/store"
)

func (w *witness) unlink(m *mount, key string) {
	o := &op{m: m, kind: "unlink", key: key}
	o.check = func(o *op) string { return w.removed(o) }
	w.run(o, func(ctx context.Context) error { return m.Unlink(ctx, key, nil) })
}

func (w *witness) rmdir(m *mount, key string) {
	o := &op{m: m, kind: "rmdir", key: key}
	o.check = func(o *op) string {
		if o.err == nil && o.removed == nil {
			return "" // a directory without a marker
		}
		return w.removed(o)
	}
	w.run(o, func(ctx context.Context) error { return m.Rmdir(ctx, key, nil) })
}

// removed judges the answer to a removal.
func (w *witness) removed(o *op) string {
	switch {
	case o.err != nil:
		return w.absent(o)
	case o.removed != nil:
		w.ack(o.removed, o.end)
		return ""
	}
	// It was only here, or somebody else has removed it meanwhile.
	found := false
	for _, d := range w.drafts {
		if _, ok := d.place(o.key); ok && d.m == o.m && d.begun < o.end && d.named() {
			d.gone, found = true, true
		}
	}
	if !found && !w.wasAbsent(o.key, o.start, o.end) {
		return "nothing was removed"
	}
	return ""
}

// absent judges an answer that nothing is there.
func (w *witness) absent(o *op) string {
	if errors.Is(o.err, store.ErrNotFound) && !w.wasAbsent(o.key, o.start, o.end) {
		return fmt.Sprintf("there was %s", w.history(o.key).current())
	}
	return ""
}

// wasAbsent tells whether nothing was under a key at a moment between two.
func (w *witness) wasAbsent(key string, start, end int64) bool {
	h := w.history(key)
	n := h.at(start)
	return n < 0 || slices.ContainsFunc(h.editions[n:], func(v *edition) bool { return v.deleted && v.seq <= end })
}

func (w *witness) rename(m *mount, from, to string, noReplace bool) {
	o := &op{m: m, kind: "rename", key: from, to: to}
	o.explains = func(v *edition) bool {
		w.sourceOf(v, from)
		return len(w.saw(v)) > 0 && o.made == nil && v.key == to && v.source.there() && v.source.key == from && w.sourced(v) && !(noReplace && v.prev.there())
	}
	o.check = func(o *op) string {
		switch {
		case o.err != nil:
			if !errors.Is(o.err, store.ErrUnknownOutcome) {
				w.stays(o)
			}
			return w.absent(o)
		case w.belowFile(o.to, o):
			return "the directory of its new name is a file"
		case o.made == nil:
			return "nothing was made of it"
		case o.removed == nil && !w.wasAbsent(from, o.start, o.end):
			return "its old name is still there"
		}
		w.ack(o.made, o.end)
		if o.removed != nil {
			w.ack(o.removed, o.end)
		}
		for _, d := range w.drafts {
			if p, ok := d.place(to); ok && d.m == m && d.named() && p.base == o.made {
				d.leave(from)
			}
		}
		return ""
	}
	w.run(o, func(ctx context.Context) error { return m.Rename(ctx, from, to, noReplace, nil) })
}

// renames tells whether a call is a rename that was not, or may never be, answered with success.
func (o *op) renames() bool { return o != nil && o.kind == "rename" && (o.end == 0 || o.err != nil) }

// mayMove notes that what a rename has copied and was to remove is gone already: whoever did it,
// the file that is open under the old name on the mount of the rename has the new one, or will
// have it.
func (w *witness) mayMove(o *op) {
	if o.kind != "rename" || o.made == nil || o.removed != nil {
		return
	}
	for _, d := range w.drafts {
		if d.m == o.m && d.stood(o.made.source) {
			d.leave(o.to)
			d.at = append(d.at, place{o.to, o.made})
		}
	}
}

// stays takes that back: the rename has failed.
func (w *witness) stays(o *op) {
	for _, d := range w.drafts {
		if p, ok := d.place(o.to); ok && d.m == o.m && len(d.at) > 1 && p.base == o.made {
			d.leave(o.to)
		}
	}
}

// belowFile tells whether what is above a key was a file, and no directory, all the time of a call:
// then nothing can be made there.
func (w *witness) belowFile(key string, o *op) bool {
	i := strings.LastIndexByte(lease.Name(key), '/')
	if i < 0 || w.wasAbsent(key[:i], o.start, o.end) {
		return false
	}
	for inside, h := range w.names {
		if !strings.HasPrefix(inside, key[:i+1]) {
			continue
		}
		for _, v := range h.editions[max(h.at(o.start), 0):] {
			if v.there() && v != o.made && v.seq < o.end {
				return false
			}
		}
	}
	return true
}

func (w *witness) mkdir(m *mount, key string, mode uint32) {
	w.makes(&op{m: m, kind: "mkdir", key: key}, "", ModeDir|mode, func(ctx context.Context) error {
		_, err := m.Mkdir(ctx, key, mode, 1, 2)
		return err
	})
}

func (w *witness) symlink(m *mount, key, target string) {
	w.makes(&op{m: m, kind: "symlink", key: key}, target, ModeSymlink|0o777, func(ctx context.Context) error {
		_, err := m.Symlink(ctx, SymlinkRequest{Key: key, Target: target, UID: 1, GID: 2})
		return err
	})
}

func (w *witness) makes(o *op, body string, mode uint32, do func(context.Context) error) {
	o.explains = func(v *edition) bool {
		return o.made == nil && v.key == o.key && v.body == body && v.attr.Mode == mode && !v.prev.there()
	}
	o.check = func(o *op) string {
		switch {
		case o.err == nil && w.belowFile(o.key, o):
			return "its directory is a file"
		case o.err == nil && o.made == nil:
			return "nothing was made"
		case o.err == nil:
			w.ack(o.made, o.end)
		}
		return ""
	}
	w.run(o, do)
}
