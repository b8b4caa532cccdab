package mount

import (
	"context"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A signal that comes while the kernel mounts ends a mount that programs may have written
// to: it must not be undone as one that came to nothing, with its spool.
func TestSignalWhileMounting(t *testing.T) {
	signals := make(chan os.Signal, 2)
	want := &Mount{undo: []func(){func() { t.Error("the mount was undone") }}}
	got, err := untilSignal(t.Context(), signals, func(ctx context.Context) (*Mount, error) {
		signals <- unix.SIGTERM
		<-ctx.Done()
		return want, nil
	})
	if got != want || err != nil {
		t.Fatalf("mounted: %v, %v", got, err)
	}
	select {
	case s := <-signals:
		if s != unix.SIGTERM {
			t.Errorf("signal %v", s)
		}
	default:
		t.Error("whoever serves the mount gets no signal")
	}
}

func TestSignalBeforeMounting(t *testing.T) {
	signals := make(chan os.Signal, 2)
	_, err := untilSignal(t.Context(), signals, func(ctx context.Context) (*Mount, error) {
		signals <- unix.SIGINT
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	if !errors.Is(err, errInterrupted) {
		t.Errorf("error %v", err)
	}
}
