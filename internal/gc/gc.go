package gc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/lockmgr"
)

// A Kind says what an Item is; it is the word that people and scripts see.
type Kind string

// The kinds.
const (
	Lock    Kind = "lock"    // a record of the lock table; the name is the key
	Session Kind = "session" // another one; the name is the session's id
	State   Kind = "state"   // a session directory; the name is its path
	Upload  Kind = "upload"  // a multipart upload; the name is the key
	Probe   Kind = "probe"   // a version of an object of a probe; the name is the key
)

// An Item is something that nobody needs any more.
type Item struct {
	Kind Kind
	Name string
	Why  string
	// Rest is how long it has to be left alone after it was found.
	Rest time.Duration

	// remove removes it if it is as it was found, and tells whether it did.
	remove func(ctx context.Context) (bool, error)
	// watch, if set, has found its session silent, and has to kill that before anything rests.
	watch *silence
}

// Options say where to look besides the bucket and its lock table.
type Options struct {
	StateDir string // of this host
	// Tell, if set, is told in one line what takes long.
	Tell func(string)
	// Now reads the clock that silence is measured by; nil is CLOCK_BOOTTIME.
	Now func() time.Duration
}

// Found is what Find has found.
type Found struct {
	// Items are in the order in which they have to be removed.
	Items []Item
	Left  []Left
}

// A Left is what was not looked at.
type Left struct {
	Why string // in one line, with what it is
	// Failed: it should have been looked at, and a later look may succeed.
	Failed bool
}

func (f *Found) left(failed bool, format string, args ...any) {
	f.Left = append(f.Left, Left{Why: fmt.Sprintf(format, args...), Failed: failed})
}

// Find lists what is not needed any more. What cannot be looked at does not keep it from the rest; it
// fails if there is no lock table, or another one, and when ctx ends.
func Find(ctx context.Context, v *volume.Volume, o Options) (f Found, err error) {
	v.Recall() // by what the server does the lock table's delay and removals are judged
	table, err := v.LockTable(ctx)
	if err != nil {
		return f, err
	}
	// A mount that has died may have known of the server what is not known by the name that is used here.
	table.Config.Delay += max(0, v.Bond.Late()-v.Bucket.Flaws().Late())
	locks, err := v.LockBucket(ctx)
	if err != nil {
		return f, err
	}
	spare := f.directories(o.StateDir, v.Bond.ID, table.Table)
	f.inBucket(ctx, v.Bucket)
	f.inLockBucket(ctx, locks)
	// The silent ones come last: the later it ends, the less has to be watched again before a removal.
	switch err := f.lockRecords(ctx, table, v.Bond.ID, spare, o); {
	case errors.Is(err, lockmgr.ErrNoRemoval):
		f.left(false, "lock table %s: its server is not known to judge a condition on DELETE, so that a record could be removed that somebody has just begun to use", table.Name)
	case err != nil:
		f.left(true, "lock table %s: %v", table.Name, err)
	}
	return f, context.Cause(ctx)
}

// A Result is what became of one Item.
type Result struct {
	Item
	// Removed is false, without an error, if it has changed since it was found.
	Removed bool
	Err     error
}

// atOnce is how many removals are under way at the same time.
const atOnce = 8

// Remove removes the items in the order of their kinds, those that have to rest after those that need not. It
// goes on after a failure. Pause, if set, is told of a wait before it begins; done is called for one item after
// the other.
func Remove(ctx context.Context, items []Item, pause func(time.Duration), done func(Result)) error {
	var rest time.Duration
	for _, i := range items {
		rest = max(rest, i.Rest)
		if i.watch != nil {
			i.watch.kill(ctx)
		}
	}
	found := time.Now()
	for _, rested := range []bool{false, true} {
		now := slices.DeleteFunc(slices.Clone(items), func(i Item) bool { return (i.Rest > 0) != rested })
		if left := rest - time.Since(found); rested && left > 0 && len(now) > 0 {
			if pause != nil {
				pause(left)
			}
			wait.For(ctx, left, nil)
		}
		for len(now) > 0 {
			n := slices.IndexFunc(now, func(i Item) bool { return i.Kind != now[0].Kind })
			if n < 0 {
				n = len(now)
			}
			if err := removeAll(ctx, now[:n], done); err != nil {
				return err
			}
			now = now[n:]
		}
	}
	return nil
}

// removeAll removes items of which none has to go before another, some at a time. When ctx ends it begins
// with no other one.
func removeAll(ctx context.Context, items []Item, done func(Result)) error {
	results := make(chan Result)
	go func() {
		defer close(results)
		places := make(chan struct{}, atOnce)
		var all sync.WaitGroup
		defer all.Wait()
		for _, i := range items {
			places <- struct{}{}
			if ctx.Err() != nil {
				return
			}
			all.Go(func() {
				defer func() { <-places }()
				removed, err := i.remove(ctx)
				results <- Result{Item: i, Removed: removed, Err: err}
			})
		}
	}()
	for r := range results {
		done(r)
	}
	return context.Cause(ctx)
}
