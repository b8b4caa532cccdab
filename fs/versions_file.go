package fs

import (
	"context"
	"strconv"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/store"
)

// A versionNode is one version: a file that never changes. Names of it that were read at different
// times may differ; it is one node all the same.
type versionNode struct {
	fs.Inode
	readOnlyNode
	info  store.Info // complete, but that of a deletion
	mark  bool       // a deletion
	began time.Time  // when it became the current version
}

// is tells whether the node is of this version.
func (v *versionNode) is(o history.Version) bool {
	if v.mark || o.Deleted {
		return v.mark && o.Deleted && v.info.VersionID == o.Info.VersionID
	}
	return v.info.Base().Same(o.Info.Base())
}

func (v *versionNode) identity() fs.StableAttr {
	return fs.StableAttr{Mode: fuse.S_IFREG, Ino: numberOf(v.info)}
}

// numberOf is the inode number of a version: the same on every host, and no other one's, also where
// an id is used again, as "null" is. No key has a NUL, so that no file has the number.
func numberOf(i store.Info) uint64 {
	id := i.VersionID
	if !i.Base().Pinned() {
		id += "\x00" + i.ETag + "\x00" + strconv.FormatInt(i.LastModified.Unix(), 10)
	}
	return file.Number(i.Key+"\x00"+id, 0)
}

// fillVersion: a version has its own size, mtime, owner and mode, and can only be read. Its ctime is
// when it became the current one. A deletion hides nothing, so that whoever tries to read one hears
// why that fails.
func (f *front) fillVersion(out *fuse.Attr, v *versionNode) {
	a := file.AttrOf(v.info, f.defaults)
	a.Mode, a.Ctime = unix.S_IFREG|a.Mode&0o555, v.began
	if v.mark {
		a.Mode, a.Mtime, a.Atime = unix.S_IFREG|0o444, v.began, v.began
	}
	f.fill(out, a)
}

// Getattr implements fs.NodeGetattrer.
func (v *versionNode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	v.f.fillVersion(&out.Attr, v)
	out.SetTimeout(v.f.ttl)
	return 0
}

// Open implements fs.NodeOpener. The bytes never change, so the kernel may keep them. A deletion
// cannot be opened: a copy of it would be an empty file that nobody ever wrote.
func (v *versionNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	switch {
	case flags&unix.O_ACCMODE != unix.O_RDONLY || flags&unix.O_TRUNC != 0:
		return nil, 0, v.f.fail("open", v.info.Key, errReadOnly)
	case v.mark:
		return nil, 0, v.f.fail("open", v.info.Key, errDeletion)
	}
	ctx, stop := untilKilled(ctx)
	defer stop()
	if err := v.permit(ctx); err != nil {
		return nil, 0, v.f.fail("open", v.info.Key, err)
	}
	h := &versionHandle{v: v}
	if v.info.Size > 0 {
		h.pin = v.f.reader.Pin(v.info)
	}
	return h, fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_NOFLUSH, 0
}

// A versionHandle is an open version; pin is nil if it has no bytes.
type versionHandle struct {
	v   *versionNode
	pin *reader.Pinned
}

// Read implements fs.FileReader.
func (h *versionHandle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if h.pin == nil {
		return fuse.ReadResultData(nil), 0
	}
	ctx, stop := untilKilled(ctx)
	defer stop()
	n, err := h.pin.ReadFull(ctx, dest, off)
	if err != nil {
		return nil, h.v.f.fail("read", h.v.info.Key, err)
	}
	return fuse.ReadResultData(dest[:n]), 0
}

// Release implements fs.FileReleaser.
func (h *versionHandle) Release(context.Context) syscall.Errno {
	if h.pin != nil {
		h.pin.Close()
	}
	return 0
}
