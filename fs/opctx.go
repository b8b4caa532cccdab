package fs

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/latchfs/latchfs/fs/file"
)

// Which operations end early when a signal interrupts their caller:
//
//   - waiting for a lease in open(2) ends at any signal that is caught, with EINTR: it may
//     take minutes, and open(2) is documented to fail so (untilInterrupted). An open that
//     nobody holds up takes less than a second, and programs do not expect EINTR from it.
//   - lookup, read, readdir and the like end only when the caller is being killed
//     (untilKilled): programs do not expect EINTR from them, and Go's runtime sends its
//     threads SIGURG all the time.
//   - what changes the bucket (flush, fsync, unlink, rename, setattr, ...) runs to its end or
//     its limit (uninterrupted): half a commit is of no use to anybody.

// uninterrupted is the context of what no signal ends.
func uninterrupted() context.Context { return context.Background() }

// killPoll is how often a caller that was interrupted is looked at: the kernel tells us of
// the first signal only.
const killPoll = 100 * time.Millisecond

// interruptAfter is how long an open has to take before any signal ends it.
const interruptAfter = time.Second

// untilKilled is a context that ends when the request's caller is being killed. stop must
// be called when the work is done.
func untilKilled(ctx context.Context) (c context.Context, stop func()) {
	k := &killContext{Context: ctx, stopped: make(chan struct{})}
	return k, k.stop
}

// untilInterrupted is untilKilled that ends at any other signal too, once the request has
// taken long enough to be called a wait; also at one that came before.
func untilInterrupted(ctx context.Context) (c context.Context, stop func()) {
	k := &killContext{Context: ctx, stopped: make(chan struct{}), interruptible: time.Now().Add(interruptAfter)}
	return k, k.stop
}

// A killContext watches only once somebody waits for it: most requests never do.
type killContext struct {
	context.Context           // of the request
	interruptible   time.Time // from when on any signal counts; zero: never
	once            sync.Once
	done            chan struct{}
	stopped         chan struct{}
}

func (k *killContext) Done() <-chan struct{} {
	k.once.Do(func() {
		k.done = make(chan struct{})
		go k.watch()
	})
	return k.done
}

func (k *killContext) Err() error {
	select {
	case <-k.Done():
		return context.Canceled
	default:
		return nil
	}
}

func (k *killContext) stop() { close(k.stopped) }

func (k *killContext) watch() {
	select {
	case <-k.stopped:
		return
	case <-k.Context.Done():
	}
	for !k.interrupted() && !beingKilled(callerOf(k.Context).Pid) {
		select {
		case <-k.stopped:
			return
		case <-time.After(killPoll):
		}
	}
	close(k.done)
}

func (k *killContext) interrupted() bool {
	return !k.interruptible.IsZero() && !time.Now().Before(k.interruptible)
}

// beingKilled tells whether a thread is gone or has SIGKILL pending, which the kernel sends
// to all threads of a process that any fatal signal ends.
func beingKilled(tid uint32) bool {
	b, err := os.ReadFile("/proc/" + strconv.FormatUint(uint64(tid), 10) + "/status")
	if err != nil {
		return tid != 0 && os.IsNotExist(err)
	}
	const sigkill = 1 << (9 - 1)
	for line := range bytes.Lines(b) {
		name, value, _ := bytes.Cut(line, []byte{':'})
		if string(name) != "SigPnd" && string(name) != "ShdPnd" {
			continue
		}
		if set, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 16, 64); err == nil && set&sigkill != 0 {
			return true
		}
	}
	return false
}

// callerOf returns who is behind a request.
func callerOf(ctx context.Context) fuse.Caller {
	if c, ok := fuse.FromContext(ctx); ok {
		return *c
	}
	return fuse.Caller{}
}

// caller is the same for the table of open files.
func (f *front) caller(ctx context.Context, ino uint64) file.Caller {
	return file.Caller{PID: callerOf(ctx).Pid, Dev: f.device.Load(), Ino: ino}
}
