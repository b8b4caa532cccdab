package fs

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// request is the context of a request by a process, and how the kernel interrupts it.
func request(pid int) (*fuse.Context, func()) {
	cancel := make(chan struct{})
	return &fuse.Context{Caller: fuse.Caller{Pid: uint32(pid)}, Cancel: cancel}, func() { close(cancel) }
}

// A signal that the caller survives ends nothing; one that kills it does.
func TestUntilKilled(t *testing.T) {
	sleeper := exec.Command("sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- sleeper.Wait() }()

	req, interrupt := request(sleeper.Process.Pid)
	ctx, stop := untilKilled(req)
	defer stop()
	if ctx.Err() != nil {
		t.Error("it ends at once")
	}
	interrupt()
	select {
	case <-ctx.Done():
		t.Error("it ends though its caller lives")
	case <-time.After(3 * killPoll):
	}
	if err := sleeper.Process.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-ended
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on though its caller is gone")
	}
	if ctx.Err() == nil {
		t.Error("it is done without an error")
	}
}

// The watching of a request that ended stops.
func TestUntilKilledStops(t *testing.T) {
	req, interrupt := request(1)
	ctx, stop := untilKilled(req)
	done := ctx.Done()
	stop()
	interrupt()
	select {
	case <-done:
		t.Error("it was ended")
	case <-time.After(2 * killPoll):
	}
}

// A signal that came early ends a wait once it is one, and not before.
func TestUntilInterrupted(t *testing.T) {
	began := time.Now()
	req, interrupt := request(os.Getpid())
	ctx, stop := untilInterrupted(req)
	defer stop()
	interrupt()
	select {
	case <-ctx.Done():
		if d := time.Since(began); d < interruptAfter {
			t.Errorf("it ends after %s", d)
		}
	case <-time.After(10 * time.Second):
		t.Error("it does not end")
	}
}
