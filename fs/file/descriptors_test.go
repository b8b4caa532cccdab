package file

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"
)

func TestCommitRule(t *testing.T) {
	const (
		opener, other = 100, 200
		elsewhere     = "pos:\t0\nflags:\t0100001\nmnt_id:\t29\nino:\t5\n"
		readOnly      = "pos:\t0\nflags:\t0100000\nmnt_id:\t77\nino:\t5\n"
		path          = "pos:\t0\nflags:\t012000001\nmnt_id:\t77\nino:\t5\n"
		oldKernel     = "pos:\t0\nflags:\t0100001\nmnt_id:\t77\n"
	)
	for _, c := range []struct {
		name    string
		caller  uint32
		fds     map[uint32][]string // of live processes
		commits bool
	}{
		{"the only descriptor", opener, map[uint32][]string{opener: nil}, true},
		{"dup2 before the write", opener, map[uint32][]string{opener: {fd(5)}}, false},
		{"a child exits, the opener still has it", other, map[uint32][]string{other: nil, opener: {fd(5)}}, false},
		{"a child that is gone", other, map[uint32][]string{opener: {fd(5)}}, false},
		{"the opener has gone, a child closes", other, map[uint32][]string{other: nil}, true},
		{"the opener has gone, a child has two", other, map[uint32][]string{other: {fd(5)}}, false},
		{"both closed", other, map[uint32][]string{other: nil, opener: nil}, true},
		{"a reading descriptor is no reason to wait", opener, map[uint32][]string{opener: {readOnly, path}}, true},
		{"same inode number on another mount", opener, map[uint32][]string{opener: {elsewhere}}, true},
		{"another file", opener, map[uint32][]string{opener: {fd(6)}}, true},
		{"pid 0: another pid namespace", 0, map[uint32][]string{opener: nil}, true},
		{"fdinfo without inode numbers", opener, map[uint32][]string{opener: {oldKernel}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, newBucket(), newLockTable())
				defer h.stop()
				h.process(opener, fd(5))
				x, _, err := h.Create(context.Background(), CreateRequest{OpenRequest: OpenRequest{Key: "a", Caller: Caller{PID: opener, Dev: 45, Ino: 5}}})
				if err != nil {
					t.Fatal(err)
				}
				h.write(x, "text", 0)
				os.RemoveAll(filepath.Join(h.proc, fmt.Sprint(opener)))
				for pid, fds := range c.fds {
					h.process(pid, fds...)
				}
				if err := x.Flush(context.Background(), Caller{PID: c.caller, Dev: 45, Ino: 5}); err != nil {
					t.Fatal(err)
				}
				if got := h.b.versions("a") == 1; got != c.commits {
					t.Errorf("committed: %v, want %v", got, c.commits)
				}
				x.Release()
				synctest.Wait()
				if h.b.versions("a") != 1 {
					t.Errorf("%d versions in the end", h.b.versions("a"))
				}
			})
		})
	}
}

// `echo x > f` sends a FLUSH before the first WRITE: still one version (gofuse.md 2.5).
func TestEchoIsOneVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		x := h.open("f", "c")
		h.process(testPID, fd(5)) // dup2, then close of the original
		if err := x.Flush(context.Background(), caller); err != nil {
			t.Fatal(err)
		}
		h.write(x, "x\n", 0)
		h.process(testPID)
		if err := h.close(x); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if h.b.get("f") != "x\n" || h.b.versions("f") != 1 || h.b.count("Put") != 1 {
			t.Errorf("%q in %d versions", h.b.get("f"), h.b.versions("f"))
		}
		x = h.open("empty", "c") // : > empty
		if err := h.close(x); err != nil || h.b.get("empty") != "" {
			t.Errorf("created-empty file: %v, %q", err, h.b.get("empty"))
		}
	})
}

// A FLUSH names a thread; the process it belongs to decides.
func TestThreadIsMappedToItsProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		x := h.open("a", "c")
		h.write(x, "text", 0)
		h.process(testPID, fd(5))
		h.process(testPID + 1)
		h.file(filepath.Join(h.proc, fmt.Sprint(testPID+1), "status"), fmt.Sprintf("Name:\tx\nTgid:\t%d\nPid:\t%d\n", testPID, testPID+1))
		if err := x.Flush(context.Background(), Caller{PID: testPID + 1, Dev: 45, Ino: 5}); err != nil {
			t.Fatal(err)
		}
		if h.b.versions("a") != 0 {
			t.Error("committed while the thread's process holds the file")
		}
		h.process(testPID)
		h.close(x)
	})
}

// The real /proc has the fields that the rule reads.
func TestRealProc(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := NewTable(Options{})
	tid := uint32(unix.Gettid())
	pid := p.processOf(tid)
	if pid != uint32(os.Getpid()) {
		t.Fatalf("thread %d is of process %d, want %d", tid, pid, os.Getpid())
	}
	c := realCaller(t, f)
	c.PID = tid
	if held, known := p.writes(pid, c); !held || !known {
		t.Errorf("an open file: held %v, known %v", held, known)
	}
	f.Close()
	if held, known := p.writes(pid, c); held || !known {
		t.Errorf("a closed file: held %v, known %v", held, known)
	}
	if held, known := p.writes(1<<30, c); held || !known {
		t.Errorf("no such process: held %v, known %v", held, known)
	}
}

// realCaller gives the inode of an open file and the device of its mount as the kernel lists
// them: on some file systems (overlay, btrfs) stat(2) says otherwise.
func realCaller(t *testing.T, f *os.File) (c Caller) {
	t.Helper()
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var mount string
	for line := range strings.Lines(read(fmt.Sprintf("/proc/self/fdinfo/%d", f.Fd()))) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t"); name {
		case "mnt_id":
			mount = value
		case "ino":
			fmt.Sscan(value, &c.Ino)
		}
	}
	for line := range strings.Lines(read("/proc/self/mountinfo")) {
		var major, minor uint32
		if fields := strings.Fields(line); fields[0] == mount {
			fmt.Sscanf(fields[2], "%d:%d", &major, &minor)
			c.Dev = unix.Mkdev(major, minor)
		}
	}
	if c.Ino == 0 || c.Dev == 0 {
		t.Fatalf("mount %q, inode %d, device %d: the kernel is too old for the commit rule", mount, c.Ino, c.Dev)
	}
	return c
}
