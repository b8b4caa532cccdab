package fs

import (
	"context"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Nobody can set an extended attribute. One that is not there is ENODATA without a
// request; never ENOSYS, which the kernel would remember for all attributes. Access control
// lists are not supported, which tools tell by ENOTSUP.

// ownXattr begins the names of what latchfs tells of a file (xattr_own.go).
const ownXattr = "user.latchfs."

func getxattr(name string) syscall.Errno {
	if strings.HasPrefix(name, "system.posix_acl_") {
		return unix.ENOTSUP
	}
	return unix.ENODATA
}

// removexattr is getxattr, but what latchfs tells cannot be changed.
func removexattr(name string) syscall.Errno {
	if strings.HasPrefix(name, ownXattr) {
		return unix.EPERM
	}
	return getxattr(name)
}

// setxattr refuses to set an attribute of what is under the key.
func (f *front) setxattr(key, name string) syscall.Errno {
	if strings.HasPrefix(name, ownXattr) {
		return f.fail("setxattr", key, errOwnXattr)
	}
	return f.fail("setxattr", key, errXattr)
}

// Getxattr implements fs.NodeGetxattrer.
func (n *fileNode) Getxattr(ctx context.Context, name string, dest []byte) (uint32, syscall.Errno) {
	word, own := strings.CutPrefix(name, ownXattr)
	if !own {
		return 0, getxattr(name)
	}
	ctx, stop := untilKilled(ctx)
	defer stop()
	value, err := n.tells(ctx, word)
	if err != nil {
		return 0, n.f.fail("getxattr", n.keyNow(), err)
	}
	return xattrReply(value, dest)
}

// Setxattr implements fs.NodeSetxattrer.
func (n *fileNode) Setxattr(_ context.Context, name string, _ []byte, _ uint32) syscall.Errno {
	return n.f.setxattr(n.keyNow(), name)
}

// Removexattr implements fs.NodeRemovexattrer.
func (n *fileNode) Removexattr(_ context.Context, name string) syscall.Errno {
	return removexattr(name)
}

// Getxattr implements fs.NodeGetxattrer.
func (v *versionNode) Getxattr(ctx context.Context, name string, dest []byte) (uint32, syscall.Errno) {
	word, own := strings.CutPrefix(name, ownXattr)
	if !own {
		return 0, getxattr(name)
	}
	ctx, stop := untilKilled(ctx)
	defer stop()
	value, err := v.tells(ctx, word)
	if err != nil {
		return 0, v.f.fail("getxattr", v.info.Key, err)
	}
	return xattrReply(value, dest)
}

// Getxattr implements fs.NodeGetxattrer.
func (d *dirNode) Getxattr(_ context.Context, name string, _ []byte) (uint32, syscall.Errno) {
	return 0, getxattr(name)
}

// Setxattr implements fs.NodeSetxattrer.
func (d *dirNode) Setxattr(_ context.Context, name string, _ []byte, _ uint32) syscall.Errno {
	return d.f.setxattr(d.key, name)
}

// Removexattr implements fs.NodeRemovexattrer.
func (d *dirNode) Removexattr(_ context.Context, name string) syscall.Errno {
	return removexattr(name)
}

// xattrReply answers getxattr(2) with a value: to whoever gives no room with its length.
func xattrReply(value string, dest []byte) (uint32, syscall.Errno) {
	if len(dest) > 0 && len(dest) < len(value) {
		return 0, unix.ERANGE
	}
	copy(dest, value)
	return uint32(len(value)), 0
}
