package fs

import (
	"fmt"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/procfs"
)

// ended is a child that has ended, by the signal or by itself, and that nobody has waited for:
// the kernel keeps of it what it knows of a process that exits.
func ended(t *testing.T, s unix.Signal) (pid int) {
	t.Helper()
	program := "exit 3"
	if s != 0 {
		program = fmt.Sprintf("ulimit -c 0; kill -%d $$; sleep 60", s)
	}
	child := exec.Command("sh", "-c", program)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { child.Wait() })
	if err := unix.Waitid(unix.P_PID, child.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	return child.Process.Pid
}

// By any signal that kills it, and not by its own end, a process counts as killed.
func TestBeingKilled(t *testing.T) {
	for _, s := range []unix.Signal{unix.SIGKILL, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGSEGV} {
		if !beingKilled(uint32(ended(t, s))) {
			t.Errorf("a process that %v ended does not count as killed", unix.SignalName(s))
		}
	}
	if beingKilled(uint32(ended(t, 0))) {
		t.Error("a process that ended by itself counts as killed")
	}
	if beingKilled(0) {
		t.Error("a process of which nothing is known counts as killed")
	}
	if !beingKilled(1 << 30) {
		t.Error("a process that is gone does not count as killed")
	}
}

func TestDying(t *testing.T) {
	const kill, term, quit, child, urgent = 1 << 8, 1 << 14, 1 << 2, 1 << 16, 1 << 22
	for _, tt := range []struct {
		name                                      string
		exits                                     bool
		code                                      int
		own, shared, blocked, ignored, caught, by uint64
		want                                      bool
	}{
		{name: "nothing is pending"},
		{name: "killed in a system call", own: kill, shared: term, want: true},
		{name: "killed with a core dump in a system call", shared: quit, want: true},
		{name: "a signal that it catches", shared: term, caught: term},
		{name: "a signal that it blocks", own: term, blocked: term},
		{name: "a signal that it ignores", shared: term, ignored: term},
		{name: "signals that harm nobody", own: urgent, shared: child},
		{name: "one that a debugger gets", shared: quit, by: 7},
		{name: "one that no debugger gets", own: kill, by: 7, want: true},
		{name: "exits by itself", exits: true, code: 3 << 8},
		{name: "exits because another thread made the process exit", exits: true, own: kill},
		{name: "exits by a signal", exits: true, code: 15, want: true},
		{name: "exits by a signal, with a core dump", exits: true, code: 11 | 0x80, want: true},
		{name: "exits by a signal, and its exit code is not shown to us", exits: true, shared: kill, want: true},
	} {
		status := fmt.Sprintf("Name:\tx\nTracerPid:\t%d\nSigPnd:\t%016x\nShdPnd:\t%016x\nSigBlk:\t%016x\nSigIgn:\t%016x\nSigCgt:\t%016x\n",
			tt.by, tt.own, tt.shared, tt.blocked, tt.ignored, tt.caught)
		stat := procfs.Stat{ExitCode: tt.code}
		if tt.exits {
			stat.Flags = procfs.Exiting
		}
		if got := dying(procfs.Fields(status), stat); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// A process that was killed while it waits in fsync(2) is answered, its exit closes the
// descriptor at once, none of that is logged, and what it wrote is saved all the same.
func TestKilledWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.net.On("Put").Nth(1).Hang()
		d := w.create(root, "a")
		w.write(d, 0, "text")
		child := exec.Command("sleep", "60")
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		interrupt, synced := make(chan struct{}), make(chan fuse.Status)
		h := header(d.node)
		h.Pid = uint32(child.Process.Pid)
		go func() { synced <- w.raw.Fsync(interrupt, &fuse.FsyncIn{InHeader: h, Fh: d.fh}) }()
		time.Sleep(time.Second)
		close(interrupt) // by some signal
		time.Sleep(time.Second)
		select {
		case s := <-synced:
			t.Fatalf("fsync of a process that lives: %v", s)
		default:
		}
		child.Process.Kill()
		if err := unix.Waitid(unix.P_PID, child.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
			t.Fatal(err)
		}
		if s := <-synced; s != fuse.EINTR {
			t.Errorf("fsync: %v", s)
		}
		if s := w.raw.Flush(nil, &fuse.FlushIn{InHeader: h, Fh: d.fh}); s != fuse.EINTR {
			t.Errorf("close at exit: %v", s)
		}
		w.release(d)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		if w.log.Len() > 0 {
			t.Errorf("logged: %s", w.log)
		}
		time.Sleep(time.Minute)
		if got, _ := w.bucket.Content("a"); got != "text" {
			t.Errorf("saved: %q", got)
		}
		child.Wait()
	})
}

// A process that exits by itself waits for what it wrote, without any close(2).
func TestExitWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.net.On("Put").Delay(5 * time.Second)
		d := w.create(root, "a")
		w.write(d, 0, "text")
		h := header(d.node)
		h.Pid = uint32(ended(t, 0))
		if s := w.raw.Flush(nil, &fuse.FlushIn{InHeader: h, Fh: d.fh}); s != fuse.OK {
			t.Errorf("close at exit: %v", s)
		}
		if got, _ := w.bucket.Content("a"); got != "text" {
			t.Errorf("the exit did not wait: %q is saved", got)
		}
		w.release(d)
	})
}
