package fs

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/internal/seldom"
	"github.com/latchfs/latchfs/lockmgr"
)

const (
	// waitSaid is how long an open waits before the log says so.
	waitSaid = time.Second
	// holderWait bounds the question who is in the way.
	holderWait = 10 * time.Second
)

// sayWaiting has the log say that an open waits, for whom and who waits, if the open takes longer
// than waitSaid. stop must be called at its end.
func (f *front) sayWaiting(key string, caller fuse.Caller) (stop func()) {
	if f.holder == nil {
		return func() {}
	}
	t := time.AfterFunc(waitSaid, func() { f.waits(key, caller) })
	return func() { t.Stop() }
}

func (f *front) waits(key string, caller fuse.Caller) {
	ctx, cancel := context.WithTimeout(context.Background(), holderWait)
	defer cancel()
	h, err := f.holder(ctx, key)
	if errors.Is(err, lockmgr.ErrClosed) {
		return // the mount ends, and the open with it
	}
	args := []any{"holder", h.String()}
	if h.Own {
		args = []any{"holder", "this mount"}
	}
	if err != nil {
		args = []any{"err", err}
	}
	pid, program := programOf(caller)
	f.said.Say(f.said.Named(seldom.Kind{Op: "open"}, key), slog.LevelInfo, "an open waits", key,
		append(args, "pid", pid, "program", program, "uid", caller.Uid)...)
}

// programOf gives the process of a caller and its program, as far as they can be seen.
func programOf(c fuse.Caller) (pid int, program string) {
	if c.Pid == 0 {
		return 0, "" // it is in another pid namespace
	}
	pid = int(c.Pid) // of a thread
	if status, err := procfs.Default.Process(pid).Status(); err == nil {
		if group, err := strconv.Atoi(status.Get("Tgid")); err == nil {
			pid = group
		}
	}
	return pid, procfs.Default.Process(pid).Name()
}
