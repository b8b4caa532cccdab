package fs

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
)

// A dirHandle is an open directory: its entries as they were when it was read first, or
// since the last rewind.
type dirHandle struct {
	list func(ctx context.Context) ([]listed, error)
	fail func(err error) syscall.Errno
	// self and up are the inode numbers of the directory and of the one that it is in; 0 if not
	// known.
	self, up uint64

	// go-fuse calls one method at a time.
	entries []listed
	next    int
}

// A listed entry knows its node if that needs no request.
type listed struct {
	fuse.DirEntry
	node func(ctx context.Context, out *fuse.EntryOut) *fs.Inode
}

// Readdirent implements fs.FileReaddirenter.
func (h *dirHandle) Readdirent(ctx context.Context) (*fuse.DirEntry, syscall.Errno) {
	if h.entries == nil {
		ctx, stop := untilKilled(ctx)
		defer stop()
		entries, err := h.list(ctx)
		if err != nil {
			return nil, h.fail(err)
		}
		h.entries = append([]listed{
			{DirEntry: fuse.DirEntry{Name: ".", Ino: h.self, Mode: fuse.S_IFDIR}}, {DirEntry: fuse.DirEntry{Name: "..", Ino: h.up, Mode: fuse.S_IFDIR}},
		}, entries...)
	}
	if h.next >= len(h.entries) {
		return nil, 0
	}
	e := &h.entries[h.next].DirEntry
	h.next++
	e.Off = uint64(h.next)
	return e, 0
}

// Lookup implements fs.FileLookuper, for READDIRPLUS: it answers what is known without a
// request, and otherwise leaves it to a LOOKUP that may never come.
func (h *dirHandle) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	for i := h.next - 1; i >= 0 && i < len(h.entries); i-- {
		if e := h.entries[i]; e.Name == name {
			if e.node == nil {
				break
			}
			if in := e.node(ctx, out); in != nil {
				return in, 0
			}
			break
		}
	}
	return nil, unix.ENOENT
}

// Seekdir implements fs.FileSeekdirer. A rewind reads the directory anew.
func (h *dirHandle) Seekdir(_ context.Context, off uint64) syscall.Errno {
	if off == 0 {
		h.entries = nil
	}
	h.next = int(off)
	return 0
}

// Releasedir implements fs.FileReleasedirer.
func (h *dirHandle) Releasedir(context.Context, uint32) {}

// Fsyncdir implements fs.FileFsyncdirer: names are in the bucket when their call returns.
func (h *dirHandle) Fsyncdir(context.Context, uint32) syscall.Errno { return 0 }

// OpendirHandle implements fs.NodeOpendirHandler.
func (d *dirNode) OpendirHandle(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	h := &dirHandle{list: d.list, fail: func(err error) syscall.Errno { return d.f.fail("readdir", d.key, err) }, self: d.number(), up: rootIno}
	if d.parent != nil {
		h.up = d.parent.number()
	}
	return h, 0, 0
}

// list shows what is in the bucket and the files that were made here and are not there yet.
func (d *dirNode) list(ctx context.Context) ([]listed, error) {
	d.wasRead.Store(true)
	removals := d.removals.Load()
	found, err := d.f.tree.List(ctx, d.key)
	if err != nil {
		return nil, err
	}
	entries := make([]listed, 0, len(found))
	names := make(map[string]bool, len(found))
	for _, e := range found {
		if d.f.isView(e.Name) {
			continue // the view has this name
		}
		names[e.Name] = true
		x := d.f.entry(e)
		if !e.Dir && e.Complete {
			d.f.freeNumber(ctx, e.Key, x.attr)
		}
		l := listed{DirEntry: fuse.DirEntry{Name: e.Name, Ino: d.f.numberOf(e.Key, x.attr.Number), Mode: x.attr.Mode & file.ModeType}}
		known := e.Complete
		if !known && !e.Dir && e.Info.Size > 0 && e.Info.Size <= file.MaxTarget {
			l.Mode = 0 // DT_UNKNOWN: it may be a symlink, which a listing does not tell
		}
		if x.live {
			known = true
			l.Mode = x.attr.Mode & file.ModeType
		}
		if known {
			l.node = d.node(x, removals)
		}
		entries = append(entries, l)
	}
	for key, a := range d.f.files.Unsaved(d.key) {
		name := strings.TrimPrefix(key, d.key)
		if !names[name] {
			x := entry{name: name, key: key, attr: a, live: true}
			entries = append(entries, listed{DirEntry: fuse.DirEntry{Name: name, Ino: d.f.numberOf(key, a.Number), Mode: a.Mode & file.ModeType}, node: d.node(x, removals)})
		}
	}
	if d.f.showVersions {
		entries = append(entries, d.f.viewEntry())
	}
	slices.SortFunc(entries, func(a, b listed) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

// viewEntry shows the view in the directory that has it.
func (f *front) viewEntry() listed {
	return listed{DirEntry: fuse.DirEntry{Name: f.versionsName, Mode: fuse.S_IFDIR}}
}

// node gives the node of an entry, unless more may be known by now than when it was listed: then a
// look-up has to tell, since the directory may be read for long. removals is the directory's count
// of that time.
func (d *dirNode) node(e entry, removals int64) func(context.Context, *fuse.EntryOut) *fs.Inode {
	return func(ctx context.Context, out *fuse.EntryOut) *fs.Inode {
		known := d.f.nodeOf(e.key)
		if known == nil && d.removals.Load() != removals {
			return nil // this may be what was removed
		}
		if !e.dir() {
			a, live := d.f.live(e.key, e.found)
			if e.live && !live {
				return nil // it was saved or removed
			}
			if live {
				e.attr, e.live, e.seen = a, true, time.Time{}
			}
			if n, ok := known.(*fileNode); ok && !n.shows(e) {
				return nil
			}
		}
		return d.answer(ctx, e, out)
	}
}
