package fs

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// blockSize is what stat(2) recommends for reads and writes.
const blockSize = 1 << 17

// Statfs implements fs.NodeStatfser. A bucket has no limit; programs that ask for space get
// an answer that they cannot exhaust.
func (d *dirNode) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	return statfs(out)
}

func statfs(out *fuse.StatfsOut) syscall.Errno {
	const total = 1 << 50
	out.Bsize, out.Frsize = 4096, 4096
	out.Blocks = total / 4096
	out.Bfree, out.Bavail = out.Blocks, out.Blocks
	out.Files, out.Ffree = 1<<32, 1<<32
	out.NameLen = 255
	return 0
}
