package fs

import (
	"context"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// There are no extended attributes yet. An attribute that is not there is ENODATA without a
// request; never ENOSYS, which the kernel would remember for all attributes. Access control
// lists are not supported, which tools tell by ENOTSUP.

func getxattr(name string) syscall.Errno {
	if strings.HasPrefix(name, "system.posix_acl_") {
		return unix.ENOTSUP
	}
	return unix.ENODATA
}

// Getxattr implements fs.NodeGetxattrer.
func (n *fileNode) Getxattr(_ context.Context, name string, _ []byte) (uint32, syscall.Errno) {
	return 0, getxattr(name)
}

// Setxattr implements fs.NodeSetxattrer.
func (n *fileNode) Setxattr(_ context.Context, _ string, _ []byte, _ uint32) syscall.Errno {
	return n.f.fail("setxattr", n.keyNow(), errXattr)
}

// Removexattr implements fs.NodeRemovexattrer.
func (n *fileNode) Removexattr(_ context.Context, name string) syscall.Errno { return getxattr(name) }

// Getxattr implements fs.NodeGetxattrer.
func (d *dirNode) Getxattr(_ context.Context, name string, _ []byte) (uint32, syscall.Errno) {
	return 0, getxattr(name)
}

// Setxattr implements fs.NodeSetxattrer.
func (d *dirNode) Setxattr(_ context.Context, _ string, _ []byte, _ uint32) syscall.Errno {
	return d.f.fail("setxattr", d.key, errXattr)
}

// Removexattr implements fs.NodeRemovexattrer.
func (d *dirNode) Removexattr(_ context.Context, name string) syscall.Errno { return getxattr(name) }
