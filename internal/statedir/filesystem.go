package statedir

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrLocalLocks: several machines can use the file system, and nothing shows that a flock
// of one keeps the others out.
var ErrLocalLocks = errors.New("a lock there may not be seen by other machines")

// Types of file systems for several machines that golang.org/x/sys does not know, as in
// stat.c of GNU coreutils.
const (
	acfsMagic   = 0x61636673 // Oracle
	beegfsMagic = 0x19830326
	gfs2Magic   = 0x01161970
	gpfsMagic   = 0x47504653 // IBM Storage Scale
	ibrixMagic  = 0x013111A8
	lustreMagic = 0x0BD00BD0
	orangeMagic = 0x20030528
	panfsMagic  = 0xAAD7AAEA
	prlMagic    = 0x7C7C6673 // folders of the host in a Parallels machine
	snfsMagic   = 0xBEEFDEAD // StorNext
	vboxMagic   = 0x786F4256 // folders of the host in a VirtualBox machine
	vmhgfsMagic = 0xBACBACBC // folders of the host in a VMware machine
	vxfsMagic   = 0xA501FCF5 // Veritas
)

// A filesystem is what a directory lies on.
type filesystem struct {
	magic uint32 // f_type of statfs(2)
	// name and options are those of /proc/self/mountinfo, with the options of the mount and
	// of the file system in one list. They are empty if they could not be read.
	name    string
	options []string
}

// provesDeath tells whether a flock on the file system keeps every other process out, on
// whatever machine that can use the file system, so that having it proves that nobody else has.
func (f filesystem) provesDeath() bool {
	has := func(option string) bool { return slices.Contains(f.options, option) }
	switch f.magic {
	case unix.NFS_SUPER_MAGIC:
		// Since Linux 2.6.12 flock(2) is a lock at the server, unless local_lock, which is
		// always shown since 2.6.37, or nolock keeps it here (nfs(5)).
		return (has("local_lock=none") || has("local_lock=posix")) && !has("nolock")
	case unix.CEPH_SUPER_MAGIC:
		return true // a lock at the metadata server (ceph_flock)
	case lustreMagic:
		return has("flock") && !has("localflock")
	case gfs2Magic, unix.OCFS2_SUPER_MAGIC:
		// A lock of the cluster, unless it is mounted with localflocks.
		return len(f.options) > 0 && !has("localflocks")
	case unix.CIFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC:
		// Local up to Linux 5.4 or with nobrl; else it depends on the server and the version of
		// the protocol (flock(2)).
		return false
	case unix.FUSE_SUPER_MAGIC:
		// Also sshfs and virtiofs. The kernel keeps flock local unless the server of the file
		// system asks for it, and no mount option shows that.
		return false
	case unix.V9FS_MAGIC:
		return false // the server of QEMU grants every lock
	case unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC, unix.CODA_SUPER_MAGIC, unix.NCP_SUPER_MAGIC,
		acfsMagic, beegfsMagic, gpfsMagic, ibrixMagic, orangeMagic, panfsMagic, prlMagic, snfsMagic,
		vboxMagic, vmhgfsMagic, vxfsMagic:
		return false // it depends on settings that are not shown here
	}
	return true // only one machine has it mounted
}

// String names the file system with the options that are about locks.
func (f filesystem) String() string {
	name := f.name
	if name == "" {
		name = fmt.Sprintf("a network file system of type %#x", f.magic)
	}
	var locks []string
	for _, o := range f.options {
		if strings.Contains(o, "lock") || o == "nobrl" {
			locks = append(locks, o)
		}
	}
	if len(locks) == 0 {
		return name
	}
	return name + " (" + strings.Join(locks, ",") + ")"
}

// filesystemOf asks what dir lies on.
func filesystemOf(dir string) (filesystem, error) {
	d, err := os.Open(dir)
	if err != nil {
		return filesystem{}, err
	}
	defer d.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(d.Fd()), &st); err != nil {
		return filesystem{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	// Where /proc is missing the options stay unknown, and what depends on them is false.
	fdinfo, _ := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", d.Fd()))
	mountinfo, _ := os.ReadFile("/proc/self/mountinfo")
	name, options := mountOf(string(fdinfo), string(mountinfo))
	return filesystem{magic: uint32(st.Type), name: name, options: options}, nil
}

// mountOf finds the mount of an open file: its id is in fdinfo, what it is in mountinfo
// (proc(5)).
func mountOf(fdinfo, mountinfo string) (name string, options []string) {
	var id string
	for line := range strings.Lines(fdinfo) {
		if v, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			id = strings.TrimSpace(v)
		}
	}
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		head, tail := strings.Fields(before), strings.Fields(after)
		if !ok || len(head) < 6 || len(tail) < 3 || head[0] != id {
			continue
		}
		return tail[0], append(strings.Split(head[5], ","), strings.Split(tail[2], ",")...)
	}
	return "", nil
}
