package cli

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/logfile"
	"github.com/latchfs/latchfs/internal/mount"
	"github.com/latchfs/latchfs/internal/procfs"
)

// terminalWait is the time that the kernel has for taking the terminal from its processes after it
// sent them SIGHUP. It does either first (linux:drivers/tty/tty_jobctrl.c).
const terminalWait = 100 * time.Millisecond

// hangups is what a mount does at SIGHUP.
//
// The signal has two meanings. For a daemon it says that somebody has moved its log or changed its
// configuration. In a terminal it says that the terminal is gone, so that nobody is there who
// could end the mount. The second is meant where a mount in the foreground had a terminal when it
// began and has none any more, unless it was told not to care (nohup).
type hangups struct {
	received chan os.Signal
	done     chan struct{}
	terminal func() bool // tells whether there is one; nil: there never was
	end      chan<- os.Signal

	mu      sync.Mutex
	reload  func() // nil until there is something to do
	pending bool   // a signal came before
}

// newHangups begins to take SIGHUP. Where it means the end, it is passed on to end, once: a shell
// and the kernel may both send it, and a second signal would end the mount at once.
func newHangups(foreground bool, end chan<- os.Signal) *hangups {
	h := &hangups{received: make(chan os.Signal, 1), done: make(chan struct{}), end: end}
	if foreground && !signal.Ignored(unix.SIGHUP) && hasTerminal() {
		h.terminal = hasTerminal
	}
	signal.Notify(h.received, unix.SIGHUP)
	go h.watch()
	return h
}

// reloadBy tells what to do at a SIGHUP that does not mean the end. One that came before is answered
// now: what it speaks of may have changed after it was read.
func (h *hangups) reloadBy(f func()) {
	h.mu.Lock()
	h.reload = f
	pending := h.pending
	h.mu.Unlock()
	if pending {
		f()
	}
}

// stop ends the watch; the signal is still taken, and nothing more happens.
func (h *hangups) stop() { close(h.done) }

func (h *hangups) watch() {
	for {
		select {
		case <-h.done:
			return
		case <-h.received:
		}
		if h.gone() {
			select {
			case h.end <- unix.SIGHUP:
			default: // it ends already
			}
			return
		}
		h.mu.Lock()
		reload := h.reload
		h.pending = h.pending || reload == nil
		h.mu.Unlock()
		if reload != nil {
			reload()
		}
	}
}

// gone tells whether there was a terminal, which is gone.
func (h *hangups) gone() bool {
	if h.terminal == nil {
		return false
	}
	select {
	case <-time.After(terminalWait):
	case <-h.done:
	}
	return !h.terminal()
}

func hasTerminal() bool {
	stat, err := procfs.Default.Self().Stat()
	return err == nil && stat.Terminal != 0
}

// A reload is what a daemon does at SIGHUP.
type reload struct {
	m    *mount.Mount
	file *logfile.File // nil: it logs to standard error
	log  *slog.Logger
}

func (r reload) run() {
	if r.file != nil {
		if err := r.file.Reopen(); err != nil {
			r.log.Error("SIGHUP: the log goes on in the old file", "err", err)
		}
	}
	if err := r.m.RereadCredentials(context.Background()); err != nil {
		r.log.Error("SIGHUP: there are no new credentials, the old ones stay", "err", err)
		return
	}
	r.log.Info("SIGHUP: log and credentials are read anew")
}
