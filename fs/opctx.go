package fs

import (
	"context"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/latchfs/latchfs/fs/file"
)

// Which operations end early when a signal comes for their caller:
//
//   - waiting for a lease in open(2) ends at any signal that is caught, with EINTR: it may
//     take minutes, and open(2) is documented to fail so (untilInterrupted). An open that
//     nobody holds up takes less than a second, and programs do not expect EINTR from it.
//   - lookup, read, readdir and the like end only when the caller is being killed
//     (untilKilled): programs do not expect EINTR from them, and Go's runtime sends its
//     threads SIGURG all the time.
//   - close and fsync end, too, when the caller is being killed, but nothing else does: the
//     commit that they wait for goes on (untilKilled, and for close untilKilledOrDead).
//   - what changes names (unlink, rename, mkdir, ...) runs to its end or its limit, which is
//     short (uninterrupted): half a change is of no use to anybody.

// uninterrupted is the context of what no signal ends.
func uninterrupted() context.Context { return context.Background() }

const (
	// killPoll is how often a caller that was interrupted is looked at: the kernel tells us of
	// the first signal only.
	killPoll = 100 * time.Millisecond
	// deadPoll is the same for a caller whose end the kernel may not tell us of.
	deadPoll = 500 * time.Millisecond
	// interruptAfter is how long an open has to take before any signal ends it.
	interruptAfter = time.Second
)

// untilKilled is a context that ends when the request's caller is being killed. stop must
// be called when the work is done.
func untilKilled(ctx context.Context) (c context.Context, stop func()) {
	k := newKillContext(ctx)
	return k, k.stop
}

// untilInterrupted is untilKilled that ends at any other signal too, once the request has
// taken long enough to be called a wait; also at one that came before.
func untilInterrupted(ctx context.Context) (c context.Context, stop func()) {
	k := newKillContext(ctx)
	k.interruptible = time.Now().Add(interruptAfter)
	return k, k.stop
}

// untilKilledOrDead is untilKilled that ends also if the caller was killed before it asked: a
// process that exits closes what it has open, and no signal interrupts that. It does not end
// for a process that exits by itself, whose parent relies on what it wrote.
func untilKilledOrDead(ctx context.Context) (c context.Context, stop func()) {
	k := newKillContext(ctx)
	k.untold = true
	return k, k.stop
}

// A killContext watches only once somebody waits for it: most requests never do.
type killContext struct {
	context.Context           // of the request
	interruptible   time.Time // from when on any signal counts; zero: never
	untold          bool      // the kernel may not tell of the caller's end
	once            sync.Once
	done            chan struct{}
	stopped         chan struct{}
}

func newKillContext(ctx context.Context) *killContext {
	return &killContext{Context: ctx, stopped: make(chan struct{})}
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
	interrupt, poll := k.Context.Done(), deadPoll
	if !k.untold {
		select {
		case <-k.stopped:
			return
		case <-interrupt:
			interrupt, poll = nil, killPoll
		}
	}
	for !k.interrupted() && !beingKilled(callerOf(k.Context).Pid) {
		select {
		case <-k.stopped:
			return
		case <-interrupt:
			interrupt, poll = nil, killPoll
		case <-time.After(poll):
		}
	}
	close(k.done)
}

func (k *killContext) interrupted() bool {
	return !k.interruptible.IsZero() && !time.Now().Before(k.interruptible)
}

// callerOf returns the process that sent a request.
func callerOf(ctx context.Context) fuse.Caller {
	if c, ok := fuse.FromContext(ctx); ok {
		return *c
	}
	return fuse.Caller{}
}

// forUser is ctx with the name of the request's caller, if commits carry it.
func (f *front) forUser(ctx, request context.Context) context.Context {
	if f.userName == nil {
		return ctx
	}
	return file.WithUser(ctx, f.userName(callerOf(request).Uid))
}

// caller is the same for the table of open files.
func (f *front) caller(ctx context.Context, ino uint64) file.Caller {
	return file.Caller{PID: callerOf(ctx).Pid, Dev: f.device.Load(), Ino: ino}
}
