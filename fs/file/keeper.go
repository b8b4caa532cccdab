package file

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/store"
)

// A keeper writes bytes that cannot go under their name beside it.
type keeper struct {
	t    *Table
	kind string // "conflict" or "recovered"
	key  string
	ours store.WriteID
	base store.Base
	// higher: not in the directory of the file, which is one no more.
	higher bool
	// props are what the version would have had.
	props store.Props
	// seed, if set, names what is kept, and at when it was made: then the kept file has the same
	// name and write id whenever it is kept, so that a recovery that was cut off does not make
	// a second one. Otherwise both are random.
	seed string
	at   time.Time
}

// maxNames bounds the names that are tried: each has 32 random bits, so a server that says of
// all of them that they are taken does not tell the truth.
const maxNames = 8

// insist is put that tries again what may pass.
func (k keeper) insist(ctx context.Context, c spool.Snapshot, base spool.Base) (store.Info, error) {
	for {
		info, err := k.put(ctx, c, base)
		if err == nil || !passing(err) || !wait.For(ctx, retryPause, nil) {
			return info, err
		}
	}
}

// passing tells the errors of a conflict file that may be gone at the next try.
func passing(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnknownOutcome) || errors.Is(err, ErrNoSpace)
}

// put writes the content under a name that nobody has. Where base data is needed and gone
// (on a bucket without versions) it keeps what is there and the list of its ranges.
func (k keeper) put(ctx context.Context, c spool.Snapshot, base spool.Base) (store.Info, error) {
	k.props = k.props.Rewritten(!c.UsesBase())
	info, err := k.try(ctx, "", store.Body{ReaderAt: c.Reader(ctx, base), Size: c.Size()})
	if !errors.Is(err, reader.ErrChanged) {
		return info, err
	}
	info, err = k.try(ctx, ".partial", store.Body{ReaderAt: c.Reader(ctx, zeros{}), Size: c.Size()})
	if err != nil {
		return info, err
	}
	list := strings.NewReader(ranges(c))
	w := store.Write{Key: fitKey(info.Key, ".ranges"), ID: store.NewWriteID(), Props: info.Props, Audit: store.Audit{What: store.WhatWrite}}
	_, err = k.send(ctx, w, store.Body{ReaderAt: list, Size: list.Size()})
	if k.seed != "" && errors.Is(err, store.ErrConflict) {
		err = nil // a recovery that was cut off has written it
	}
	return info, err
}

// try puts the body under a new name, and under another one if that is taken.
func (k keeper) try(ctx context.Context, suffix string, body store.Body) (store.Info, error) {
	at, name, id := k.at, newID(), store.NewWriteID()
	if k.seed == "" {
		at = time.Now()
	} else {
		sum := sha256.Sum256([]byte(k.kind + suffix + "\x00" + k.seed))
		name, id = hex.EncodeToString(sum[:4]), store.WriteID(hex.EncodeToString(sum[4:20]))
	}
	beside, gone, err := k.beside(ctx)
	if err != nil {
		return store.Info{}, err
	}
	props := k.meta(ctx)
	for n := 1; ; n++ {
		w := store.Write{Key: keptName(beside, k.kind, k.t.o.Host, at, name, suffix), ID: id, Props: props, Audit: store.Audit{What: store.WhatWrite}}
		if gone || k.t.above(w.Key) != k.t.above(k.key) {
			w.Props.Meta = k.private(w)
		}
		info, err := k.send(ctx, w, body)
		if !errors.Is(err, store.ErrConflict) || n == maxNames {
			return info, err
		}
		if !wait.For(ctx, time.Duration(n)*provePause, nil) {
			return info, context.Cause(ctx)
		}
		name, id = newID(), store.NewWriteID()
	}
}

// beside is the name beside which the bytes are kept. If the directory of the file has become a
// file, that is in the next directory above. gone: the directory has to be made for them.
func (k keeper) beside(ctx context.Context) (key string, gone bool, err error) {
	higher := k.higher
	for key = k.key; ; higher = true {
		dir := k.t.above(lease.Name(key))
		if dir == "" {
			return key, false, nil
		}
		if higher {
			key = dir[:strings.LastIndexByte(lease.Name(dir), '/')+1] + key[len(dir):]
		}
		if _, err := k.t.lookAbove(ctx, lease.Name(key)); !errors.Is(err, ErrNotDir) {
			if passing(err) {
				return "", false, fmt.Errorf("looking where to keep %q: %w", k.key, err)
			}
			return key, err != nil, nil // a directory that is gone comes back
		}
	}
}

// private gives the metadata of a kept file that does not lie where the file did: nobody knows who
// was let into that directory, so that only the owner may read it.
func (k keeper) private(w store.Write) map[string]string {
	x := store.ReadPosix(w.Props.Meta)
	x.Mode, x.Has = AttrOf(store.Info{Key: w.Key, Props: w.Props}, k.t.o.Defaults).Mode&^0o077, x.Has|store.HasMode
	meta, err := x.Put(w.Props.Meta)
	if err != nil { // no room: what other tools have noted about the old bytes goes
		meta, _ = x.Put(nil)
	}
	return meta
}

// send makes a new object without a lease: its name has a random id.
func (k keeper) send(ctx context.Context, w store.Write, body store.Body) (store.Info, error) {
	info, err := k.t.put(ctx, store.Unleased("a "+k.kind+" file with a new random name"), w, body)
	if err == nil {
		k.t.changed(w.Key, &info)
	}
	return info, err
}

// zeros stands in for a base version that is gone.
type zeros struct{}

func (zeros) ReadAt(_ context.Context, p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

// ranges lists the bytes of a partial file that are real, one "offset length" per line.
func ranges(c spool.Snapshot) string {
	var b strings.Builder
	for _, s := range c.Spans() {
		fmt.Fprintf(&b, "%d %d\n", s.Off, s.Len)
	}
	return b.String()
}

// meta are the properties of the file that was to be saved and, where there is room, how
// the conflict came about.
func (k keeper) meta(ctx context.Context) store.Props {
	p := k.props
	p.TagCount = 0 // tags belong to the base, and this object has none
	extra := map[string]string{
		"latchfs-" + k.kind + "-of":   url.PathEscape(k.key),
		"latchfs-" + k.kind + "-base": version(k.base),
		"latchfs-" + k.kind + "-ours": string(k.ours),
	}
	if theirs, err := k.t.o.Objects.Head(ctx, k.key, ""); err == nil {
		extra["latchfs-"+k.kind+"-theirs"] = version(theirs.Base())
	} else {
		extra["latchfs-"+k.kind+"-theirs"] = "-"
	}
	size := 200 // the store's own keys
	meta := maps.Clone(p.Meta)
	if meta == nil {
		meta = make(map[string]string)
	}
	maps.Copy(meta, extra)
	for name, v := range meta {
		size += len(name) + len(v)
	}
	if size <= store.MaxMeta {
		p.Meta = meta
	}
	return p
}

// version names a version for people and tools.
func version(b store.Base) string {
	switch {
	case b.Absent():
		return "-"
	case b.VersionID != "":
		return url.PathEscape(b.VersionID)
	}
	return url.PathEscape(b.ETag)
}
