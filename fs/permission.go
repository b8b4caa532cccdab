package fs

import (
	"fmt"
	"slices"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
)

// Permissions that credentials are asked for, as of access(2).
const (
	mayRead   = unix.R_OK
	maySearch = unix.X_OK
)

// readsAll are the capabilities with which a process may read and search whatever it likes.
const readsAll = 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH

// credentials are what a caller is judged by where we judge and not the kernel.
type credentials struct {
	uid, gid uint32
	groups   []uint32
	// allGroups: it has no other groups than these. Else we could not find out.
	allGroups bool
	all       bool // it may read and search everything
}

// credentials looks up the groups and the capabilities of a caller, of which a request does not
// tell. It fails if there is no such process any more.
func (f *front) credentials(c fuse.Caller) (credentials, error) {
	who := credentials{uid: c.Uid, gid: c.Gid, all: c.Uid == 0}
	if c.Pid == 0 {
		return who, nil // its pid namespace is not below ours
	}
	thread := f.proc.Process(int(c.Pid))
	status, err := thread.Status()
	if err != nil {
		return who, fmt.Errorf("looking at the caller: %w", err)
	}
	own, err := status.Credentials()
	if err != nil {
		return who, fmt.Errorf("looking at the caller %d: %w", c.Pid, err)
	}
	if own.UID != c.Uid || own.GID != c.Gid {
		return who, nil // it acts for somebody else, as the kernel's NFS server does
	}
	who.groups, who.allGroups = own.Groups, true
	who.all = own.Capabilities&readsAll != 0
	if who.all && c.Uid != 0 {
		// Anybody has all capabilities in a user namespace that he made for himself.
		ours, err := f.proc.Self().UserNamespace()
		theirs, _ := thread.UserNamespace() // "" if it may not be known
		who.all = err == nil && ours == theirs
	}
	return who, nil
}

// may tells whether the mode and the owner of a file or directory give the permission.
func (c credentials) may(a file.Attr, want uint32) bool {
	var given uint32
	switch {
	case c.all:
		return true
	case c.uid == a.UID:
		given = a.Mode >> 6
	case c.gid == a.GID || slices.Contains(c.groups, a.GID):
		given = a.Mode >> 3
	case c.allGroups:
		given = a.Mode
	default:
		given = a.Mode >> 3 & a.Mode // whichever of the two is the caller's
	}
	return given&want == want
}
