package fs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/internal/procfs"
)

// A fakeProc is a process file system with the threads that a test makes.
type fakeProc struct {
	t   *testing.T
	dir string
}

func newFakeProc(t *testing.T) fakeProc {
	p := fakeProc{t, t.TempDir()}
	p.thread("self", 0, 0, "", 0, "ours")
	return p
}

func (p fakeProc) fs() procfs.FS { return procfs.FS(p.dir) }

// thread makes one with these ids for files, groups, capabilities and user namespace.
func (p fakeProc) thread(id string, uid, gid uint32, groups string, caps uint64, namespace string) {
	p.t.Helper()
	dir := filepath.Join(p.dir, id)
	if err := os.MkdirAll(filepath.Join(dir, "ns"), 0o755); err != nil {
		p.t.Fatal(err)
	}
	status := fmt.Sprintf("Name:\tx\nUid:\t7\t7\t7\t%d\nGid:\t7\t7\t7\t%d\nGroups:\t%s \nCapEff:\t%016x\n", uid, gid, groups, caps)
	if err := os.WriteFile(filepath.Join(dir, "status"), []byte(status), 0o644); err != nil {
		p.t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "ns", "user"))
	if namespace != "" {
		if err := os.Symlink(namespace, filepath.Join(dir, "ns", "user")); err != nil {
			p.t.Fatal(err)
		}
	}
}

// A caller is judged as the kernel would judge it: by ids, all groups and capabilities, and where
// we cannot know them, by what holds whatever they are.
func TestCallerIsJudged(t *testing.T) {
	const search, dac = 1 << unix.CAP_DAC_READ_SEARCH, 1 << unix.CAP_DAC_OVERRIDE
	const none = 1 << unix.CAP_CHOWN
	proc := newFakeProc(t)
	proc.thread("10", 1000, 100, "200 300", none, "ours")
	proc.thread("11", 1000, 100, "", search, "ours")
	proc.thread("12", 1000, 100, "", dac, "ours")
	proc.thread("13", 1000, 100, "", search|dac, "his own")
	proc.thread("14", 1000, 100, "", search|dac, "") // which only those see who may trace it
	proc.thread("15", 0, 0, "", search|dac, "")
	proc.thread("16", 0, 0, "", none, "ours")
	proc.thread("17", 0, 0, "200", search|dac, "ours") // a thread of the kernel's NFS server
	f := &front{proc: proc.fs()}
	owned := func(uid, gid, mode uint32) file.Attr {
		return file.Attr{Mode: unix.S_IFREG | mode, UID: uid, GID: gid}
	}
	for _, tt := range []struct {
		name          string
		pid, uid, gid uint32
		of            file.Attr
		want          bool
	}{
		{"owner", 10, 1000, 100, owned(1000, 1, 0o400), true},
		{"owner without the right that others have", 10, 1000, 100, owned(1000, 100, 0o077), false},
		{"group", 10, 1000, 100, owned(1, 100, 0o040), true},
		{"supplementary group", 10, 1000, 100, owned(1, 300, 0o040), true},
		{"supplementary group without the right that others have", 10, 1000, 100, owned(1, 300, 0o704), false},
		{"others", 10, 1000, 100, owned(1, 1, 0o004), true},
		{"others without it", 10, 1000, 100, owned(1, 1, 0o773), false},
		{"may read and search", 11, 1000, 100, owned(1, 1, 0), true},
		{"may do anything", 12, 1000, 100, owned(1, 1, 0), true},
		{"only in a namespace of his own", 13, 1000, 100, owned(1, 1, 0o770), false},
		{"perhaps only in a namespace of his own", 14, 1000, 100, owned(1, 1, 0o770), false},
		{"root", 15, 0, 0, owned(1, 1, 0), true},
		{"root without the capabilities", 16, 0, 0, owned(1, 1, 0o770), false},
		{"acts for root", 10, 0, 0, owned(1, 1, 0), true},
		{"acts for another, who has not its groups", 17, 1000, 100, owned(1, 200, 0o740), false},
		{"acts for another, nor its capabilities", 17, 1000, 100, owned(1, 1, 0o770), false},
		{"acts for another of the same group", 17, 1000, 0, owned(1, 200, 0o740), false},
		{"acts for another group", 10, 1000, 101, owned(1, 200, 0o740), false},
		{"out of sight: owner", 0, 1000, 100, owned(1000, 1, 0o400), true},
		{"out of sight: group", 0, 1000, 100, owned(1, 100, 0o040), true},
		{"out of sight: anybody", 0, 1000, 100, owned(1, 1, 0o044), true},
		{"out of sight: anybody but perhaps a group of his", 0, 1000, 100, owned(1, 1, 0o004), false},
		{"out of sight: perhaps a group of his", 0, 1000, 100, owned(1, 1, 0o040), false},
		{"out of sight: root", 0, 0, 0, owned(1, 1, 0), true},
	} {
		who, err := f.credentials(fuse.Caller{Owner: fuse.Owner{Uid: tt.uid, Gid: tt.gid}, Pid: tt.pid})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := who.may(tt.of, mayRead); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	for _, uid := range []uint32{0, 1000} {
		if who, err := f.credentials(fuse.Caller{Owner: fuse.Owner{Uid: uid}, Pid: 99}); err == nil {
			t.Errorf("a caller that is gone: %+v", who)
		}
	}
	dir := owned(1, 1, 0o751)
	who, err := f.credentials(fuse.Caller{Owner: fuse.Owner{Uid: 1000, Gid: 100}, Pid: 10})
	if err != nil || !who.may(dir, maySearch) || who.may(dir, mayRead) {
		t.Errorf("search without read: %v", err)
	}
}
