package fs

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
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

// A caller that was killed before it asked is noticed though the kernel tells nothing.
func TestUntilKilledOrDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		req, _ := request(os.Getpid())
		ctx, stop := untilKilledOrDead(req)
		select {
		case <-ctx.Done():
			t.Error("it ends though its caller lives")
		case <-time.After(5 * deadPoll):
		}
		stop()

		began := time.Now()
		req, _ = request(ended(t, unix.SIGKILL))
		ctx, stop = untilKilledOrDead(req)
		defer stop()
		select {
		case <-ctx.Done():
			if ctx.Err() == nil {
				t.Error("it is done without an error")
			}
		case <-time.After(time.Second):
			t.Errorf("it goes on though its caller was killed, %v ago", time.Since(began))
		}
	})
}

// The watching of a request that ended stops, before and after a signal came. (A bubble waits for
// its goroutines.)
func TestUntilKilledStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, until := range []func(context.Context) (context.Context, func()){untilKilled, untilInterrupted, untilKilledOrDead} {
			req, interrupt := request(os.Getpid())
			ctx, stop := until(req)
			done := ctx.Done()
			stop()
			interrupt()
			select {
			case <-done:
				t.Error("it was ended")
			case <-time.After(2 * interruptAfter):
			}
			req, interrupt = request(os.Getpid())
			ctx, stop = until(req)
			ctx.Done()
			interrupt()
			time.Sleep(killPoll / 2)
			stop()
		}
	})
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
