package fs

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Locks that are not shared between hosts are refused (SEMANTICS G8). Giving back what
// nobody has is no error.

// Getlk implements fs.NodeGetlker.
func (n *fileNode) Getlk(context.Context, fs.FileHandle, uint64, *fuse.FileLock, uint32, *fuse.FileLock) syscall.Errno {
	return n.refuseLock()
}

// Setlk implements fs.NodeSetlker.
func (n *fileNode) Setlk(_ context.Context, _ fs.FileHandle, _ uint64, l *fuse.FileLock, _ uint32) syscall.Errno {
	if l.Typ == unix.F_UNLCK {
		return 0
	}
	return n.refuseLock()
}

// Setlkw implements fs.NodeSetlkwer.
func (n *fileNode) Setlkw(ctx context.Context, h fs.FileHandle, owner uint64, l *fuse.FileLock, flags uint32) syscall.Errno {
	return n.Setlk(ctx, h, owner, l, flags)
}

func (n *fileNode) refuseLock() syscall.Errno {
	n.f.locksSaid.Do(func() {
		n.f.log.Warn("flock and fcntl locks are refused with ENOLCK: they would hold on this host alone; programs that need them (SQLite, mail stores) do not work here", "key", n.keyNow())
	})
	return unix.ENOLCK
}
