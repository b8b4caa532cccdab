package fs

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/store"
)

// An entry is what a name of a directory shows.
type entry struct {
	name string
	key  string
	attr file.Attr
	// found is the version that the bucket showed, the zero Base for none.
	found store.Base
	// live: this host, not the bucket, has the truth.
	live bool
	// seen is when the bucket was asked; zero if that is live, or was just made here.
	seen time.Time
}

func (e entry) dir() bool { return e.attr.Mode&file.ModeType == file.ModeDir }

// find looks a name up: first among the files that are open for write here, then in the
// bucket.
func (f *front) find(ctx context.Context, d *dirNode, name string) (entry, error) {
	return f.findIn(ctx, d.key, name)
}

// findIn is find in the directory of that key.
func (f *front) findIn(ctx context.Context, dir, name string) (entry, error) {
	key, err := f.tree.Key(dir, name)
	if err != nil {
		return entry{}, err
	}
	if a, ok := f.files.Attr(key); ok {
		return entry{name: name, key: key, attr: a, live: true}, nil
	}
	found, err := f.tree.Lookup(ctx, dir, name)
	switch {
	case err == nil:
		return f.entry(found), nil
	case errors.Is(err, store.ErrNotFound):
		if a, ok := f.live(key, store.Base{}); ok {
			return entry{name: name, key: key, attr: a, live: true}, nil
		}
	}
	return entry{}, err
}

// live gives the attributes of a file of which this host has the truth; found is what the
// bucket shows. The file may have been opened or committed here since the bucket was asked.
func (f *front) live(key string, found store.Base) (file.Attr, bool) {
	if a, ok := f.files.Attr(key); ok {
		return a, true
	}
	return f.files.AttrOf(key, found)
}

// entry translates what the bucket shows.
func (f *front) entry(e tree.Entry) entry {
	if e.Dir && e.Info.ETag == "" {
		return entry{name: e.Name, key: e.Key, attr: f.dirAttr(e.Key, f.bareDir()), seen: e.Seen} // no marker
	}
	x := entry{name: e.Name, key: e.Key, attr: f.files.Attributes(e.Info), found: e.Info.Base(), seen: e.Seen}
	if e.Dir {
		x.attr = f.dirAttr(e.Key, x.attr)
		return x
	}
	if a, ok := f.live(x.key, x.found); ok {
		x.attr, x.live, x.seen = a, true, time.Time{}
	}
	return x
}

// Lookup implements fs.NodeLookuper.
func (d *dirNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	ctx, stop := untilKilled(ctx)
	defer stop()
	if d.f.isView(name) {
		return d.lookupVersions(ctx, out)
	}
	e, err := d.f.find(ctx, d, name)
	if err != nil || e.attr.Mode&file.ModeType != file.ModeRegular {
		d.f.stale.again(callerOf(ctx), d.key+name) // no second open will come
	} else {
		d.f.stale.looked(callerOf(ctx), e.key, e.attr.Base)
	}
	if err != nil {
		return nil, d.f.fail("lookup", d.key+name, err)
	}
	return d.answer(ctx, e, out), 0
}

// answer fills the reply to whatever looks up or makes a name.
func (d *dirNode) answer(ctx context.Context, e entry, out *fuse.EntryOut) *fs.Inode {
	d.f.fill(&out.Attr, e.attr)
	d.f.believe(out, e.seen)
	return d.child(ctx, e)
}

// believe lets the kernel keep the name and the attributes of a reply until the bucket was asked
// for them so long ago as the mount allows.
func (f *front) believe(out *fuse.EntryOut, seen time.Time) {
	ttl := f.left(seen)
	out.SetAttrTimeout(ttl)
	out.SetEntryTimeout(ttl)
}

// left is how long what was seen at a time, or is known for certain now if that is zero, may still
// be believed.
func (f *front) left(seen time.Time) time.Duration {
	if seen.IsZero() {
		return f.ttl
	}
	return max(0, f.ttl-time.Since(seen))
}

// staleIfGone: what the kernel knows by its inode and is not there any more is stale; Linux
// looks the path up again and finds out.
func staleIfGone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return file.ErrStale
	}
	return err
}
