package statedir

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What decides is the type, and the options where they tell who sees a lock.
func TestProvesDeath(t *testing.T) {
	for _, c := range []struct {
		magic   uint32
		options string
		want    bool
	}{
		{unix.EXT4_SUPER_MAGIC, "rw,relatime", true},
		{unix.XFS_SUPER_MAGIC, "rw", true},
		{unix.BTRFS_SUPER_MAGIC, "rw", true},
		{unix.TMPFS_MAGIC, "rw", true},
		{unix.OVERLAYFS_SUPER_MAGIC, "rw", true},
		{unix.EXT4_SUPER_MAGIC, "", true},
		{0x12345678, "rw", true}, // a new local file system

		{unix.NFS_SUPER_MAGIC, "rw,vers=4.2,local_lock=none,addr=10.0.0.1", true},
		{unix.NFS_SUPER_MAGIC, "rw,vers=3,local_lock=posix", true},
		{unix.NFS_SUPER_MAGIC, "rw,vers=4.2,local_lock=flock", false},
		{unix.NFS_SUPER_MAGIC, "rw,vers=4.2,local_lock=all", false},
		{unix.NFS_SUPER_MAGIC, "rw,vers=3,nolock,local_lock=all", false},
		{unix.NFS_SUPER_MAGIC, "rw,vers=3,nolock,local_lock=none", false},
		{unix.NFS_SUPER_MAGIC, "rw,vers=3", false},
		{unix.NFS_SUPER_MAGIC, "", false},

		{unix.CEPH_SUPER_MAGIC, "rw,name=admin", true},
		{lustreMagic, "rw,flock,lazystatfs", true},
		{lustreMagic, "rw,localflock", false},
		{lustreMagic, "rw,flock,localflock", false},
		{lustreMagic, "rw,lazystatfs", false},
		{gfs2Magic, "rw,lockproto=lock_dlm", true},
		{gfs2Magic, "rw,localflocks", false},
		{gfs2Magic, "", false},
		{unix.OCFS2_SUPER_MAGIC, "rw,_netdev", true},
		{unix.OCFS2_SUPER_MAGIC, "rw,localflocks", false},
		{unix.OCFS2_SUPER_MAGIC, "", false},

		{unix.CIFS_SUPER_MAGIC, "rw,vers=3.1.1", false},
		{unix.SMB2_SUPER_MAGIC, "rw,vers=3.1.1", false},
		{unix.SMB2_SUPER_MAGIC, "rw,vers=3.1.1,nobrl", false},
		{unix.SMB_SUPER_MAGIC, "rw", false},
		{unix.FUSE_SUPER_MAGIC, "rw,user_id=0,allow_other", false},
		{unix.V9FS_MAGIC, "rw,trans=virtio", false},
		{unix.AFS_FS_MAGIC, "rw", false},
		{unix.AFS_SUPER_MAGIC, "rw", false},
		{unix.CODA_SUPER_MAGIC, "rw", false},
		{unix.NCP_SUPER_MAGIC, "rw", false},
		{beegfsMagic, "rw", false},
		{gpfsMagic, "rw", false},
		{vboxMagic, "rw", false},
		{vmhgfsMagic, "rw", false},
	} {
		var options []string
		if c.options != "" {
			options = strings.Split(c.options, ",")
		}
		if got := (filesystem{magic: c.magic, options: options}).provesDeath(); got != c.want {
			t.Errorf("type %#x with %q: %v, want %v", c.magic, c.options, got, c.want)
		}
	}
}

// The mount is found by its id, not by its path, on which another one may lie.
func TestMountOf(t *testing.T) {
	const mountinfo = `27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
361 27 0:51 / /home/a\040b rw,relatime shared:180 - nfs4 server:/home rw,vers=4.2,local_lock=none,addr=10.0.0.1
362 361 0:52 / /home/a\040b rw,nosuid - nfs server:/home rw,vers=3,nolock,local_lock=all
363 27 0:53 / /broken rw
`
	for _, c := range []struct{ fdinfo, name, options string }{
		{"pos:\t0\nflags:\t0100000\nmnt_id:\t27\nino:\t3\n", "ext4", "rw,relatime,rw,discard"},
		{"mnt_id:\t361\n", "nfs4", "rw,relatime,rw,vers=4.2,local_lock=none,addr=10.0.0.1"},
		{"mnt_id:\t362\n", "nfs", "rw,nosuid,rw,vers=3,nolock,local_lock=all"},
		{"mnt_id:\t363\n", "", ""},
		{"mnt_id:\t36\n", "", ""},
		{"", "", ""},
	} {
		name, options := mountOf(c.fdinfo, mountinfo)
		if got := strings.Join(options, ","); name != c.name || got != c.options {
			t.Errorf("%q: %s %s, want %s %s", c.fdinfo, name, got, c.name, c.options)
		}
	}
}

// The kernel is asked, and its answer is understood.
func TestFilesystemOf(t *testing.T) {
	f, err := filesystemOf("/proc/self")
	if err != nil {
		t.Fatal(err)
	}
	if f.magic != unix.PROC_SUPER_MAGIC || f.name != "proc" || !slices.Contains(f.options, "rw") && !slices.Contains(f.options, "ro") {
		t.Errorf("/proc/self is on %+v", f)
	}
	if _, err := filesystemOf(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
}

// on is a host whose directories all lie on f.
func on(f filesystem) host {
	h := thisHost()
	h.filesystem = func(string) (filesystem, error) { return f, nil }
	return h
}

// Where another machine may not see the lock, no session is made and none is taken.
func TestLocalLocksAreRefused(t *testing.T) {
	root := t.TempDir()
	h := on(filesystem{magic: unix.NFS_SUPER_MAGIC, name: "nfs4", options: []string{"rw", "local_lock=all"}})
	check := func(what, state string, err error) {
		t.Helper()
		if !errors.Is(err, ErrLocalLocks) {
			t.Fatalf("%s: %v", what, err)
		}
		for _, part := range []string{state, "nfs4 (local_lock=all)", "local disk"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", what, err, part)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q has more than one line", what, err)
		}
	}
	state := filepath.Join(root, "made", "here")
	_, err := h.create(state, "one", Mount{})
	check("create", state, err)
	if e, err := os.ReadDir(root); err != nil || len(e) != 0 {
		t.Errorf("left: %v, %v", e, err)
	}

	state = root
	d, err := Create(state, "one", Mount{Source: "s"})
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	_, err = h.tryTake(state, "one")
	check("take", d.Path(), err)
	if h.dead(state, "one") {
		t.Error("a lock that other machines may not see is a proof of death")
	}
	// Once it lies where the lock is a proof, it is recovered.
	moved := t.TempDir()
	if err := os.CopyFS(filepath.Join(moved, "one"), os.DirFS(d.Path())); err != nil {
		t.Fatal(err)
	}
	taken, err := TryTake(moved, "one")
	if err != nil {
		t.Fatal(err)
	}
	if taken.Mount().Source != "s" {
		t.Errorf("mount.json reads %+v", taken.Mount())
	}
	taken.Close()
}

// What cannot be asked is no proof.
func TestUnknownFilesystemIsRefused(t *testing.T) {
	h := thisHost()
	h.filesystem = func(string) (filesystem, error) { return filesystem{}, unix.EIO }
	if _, err := h.create(t.TempDir(), "one", Mount{}); !errors.Is(err, unix.EIO) {
		t.Errorf("create: %v", err)
	}
}
