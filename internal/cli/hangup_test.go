package cli

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// SIGHUP means the end, once, where a terminal was and is no more; else it means to read anew.
func TestHangups(t *testing.T) {
	there, gone := func() bool { return true }, func() bool { return false }
	began := time.Time{}
	late := func() bool { return time.Since(began) < terminalWait/2 } // the signal comes first
	for _, tt := range []struct {
		name        string
		terminal    func() bool
		ends, reads int
	}{
		{"never a terminal", nil, 0, 3},
		{"its terminal is there", there, 0, 3},
		{"its terminal is gone", gone, 1, 0},
		{"its terminal goes a moment later", late, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began = time.Now()
				end := make(chan os.Signal, 10)
				h := &hangups{received: make(chan os.Signal), done: make(chan struct{}), terminal: tt.terminal, end: end}
				reads := 0
				h.reloadBy(func() { reads++ })
				watched := make(chan struct{})
				go func() {
					defer close(watched)
					h.watch()
				}()
				for range 3 {
					select {
					case h.received <- unix.SIGHUP:
					case <-watched:
					}
				}
				h.stop()
				<-watched
				if len(end) != tt.ends || reads != tt.reads {
					t.Errorf("%d ends and %d reads, want %d and %d", len(end), reads, tt.ends, tt.reads)
				}
			})
		})
	}
}

// A signal that comes before it is mounted is answered as soon as it is.
func TestHangupBeforeItIsMounted(t *testing.T) {
	for signals := range 3 {
		synctest.Test(t, func(t *testing.T) {
			h := &hangups{received: make(chan os.Signal), done: make(chan struct{}), end: make(chan os.Signal)}
			go h.watch()
			for range signals {
				h.received <- unix.SIGHUP
			}
			synctest.Wait()
			reads := 0
			h.reloadBy(func() { reads++ })
			if want := min(signals, 1); reads != want {
				t.Errorf("%d reads after %d signals, want %d", reads, signals, want)
			}
			h.stop()
		})
	}
}
