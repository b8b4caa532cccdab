package fs

import "github.com/hanwen/go-fuse/v2/fuse"

// pageCache is the caller of a write of pages that were changed in a mapping: no process has
// this number.
const pageCache = ^uint32(0)

// writeBack tells writes of the page cache from those of programs, since the nodes do not see
// the flags of a request. The kernel gives such a write a handle that may write, not the
// one that was mapped, and its offset is right even if that handle appends
// (linux:include/uapi/linux/fuse.h, FUSE_WRITE_CACHE).
type writeBack struct{ fuse.RawFileSystem }

// Write implements fuse.RawFileSystem.
func (w writeBack) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	mark(in)
	return w.RawFileSystem.Write(cancel, in, data)
}

// Writev implements fuse.RawFileSystem.
func (w writeBack) Writev(cancel <-chan struct{}, in *fuse.WriteIn, data [][]byte) (uint32, fuse.Status) {
	mark(in)
	return w.RawFileSystem.Writev(cancel, in, data)
}

func mark(in *fuse.WriteIn) {
	if in.WriteFlags&fuse.WRITE_CACHE != 0 {
		in.Caller.Pid = pageCache
	}
}
