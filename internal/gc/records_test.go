package gc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
)

const bucketID = "bucket"

var times = lockmgr.Timing{Beat: time.Second, Lease: 20 * time.Second, Delay: 15 * time.Second}

// A world is a lock table with sessions and locks in it.
type world struct {
	*testing.T
	server *memtable.Server
	table  volume.LockTable
	spare  map[string]bool
}

func newWorld(t *testing.T) *world {
	server := memtable.NewServer()
	return &world{T: t, server: server, table: volume.LockTable{
		Name: volume.TableName{Backend: volume.BackendS3, Table: "locks"}, Table: server.Table(), Config: lockmgr.Config{Timing: times},
	}}
}

// session makes a session and brings it into a state.
func (w *world) session(sid string, state lockmgr.State) {
	w.Helper()
	ctx := w.Context()
	err := w.table.Table.PutSession(ctx, lockmgr.Session{SID: sid, Host: "h-" + sid})
	switch {
	case err != nil:
	case state == lockmgr.Closed:
		err = w.table.Table.CloseSession(ctx, sid)
	case state == lockmgr.Dead:
		_, err = w.table.Table.KillSession(ctx, lockmgr.Session{SID: sid, State: lockmgr.Alive})
	case state == lockmgr.Missing:
		w.server.DeleteSession(sid)
	}
	if err != nil {
		w.Fatal(err)
	}
	if state == lockmgr.Alive {
		w.beat(sid, w.server.Table(), 0)
	}
}

// beat beats a session from now on, but in a pause that begins in ten seconds.
func (w *world) beat(sid string, host *memtable.Table, pause time.Duration) {
	go func() {
		for n := 0; ; n++ {
			if n == 10 && !wait.For(w.Context(), pause, nil) {
				return
			}
			ctx, cancel := context.WithTimeout(w.Context(), times.Beat)
			_, err := host.Beat(ctx, sid)
			cancel()
			if errors.Is(err, lockmgr.ErrSessionDead) || !wait.For(w.Context(), times.Beat, nil) {
				return
			}
		}
	}()
}

func (w *world) lock(bucket, key, sid string) {
	w.Helper()
	_, err := w.table.Table.AcquireLock(w.Context(), lockmgr.Lock{Name: bucket + "\x00" + key, SID: sid, Nonce: "n-" + key, Host: "h-" + sid})
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) find() []Item {
	w.Helper()
	f := w.look()
	if len(f.Left) != 0 {
		w.Errorf("not looked at: %+v", f.Left)
	}
	return f.Items
}

func (w *world) look() (f Found) {
	w.Helper()
	began := time.Now() // in a synctest bubble, whose clock CLOCK_BOOTTIME is not
	o := Options{Now: func() time.Duration { return time.Since(began) }}
	if err := f.lockRecords(w.Context(), w.table, bucketID, w.spare, o); err != nil {
		w.Fatal(err)
	}
	return f
}

// remove removes items, and gives a word for what became of each.
func (w *world) remove(items []Item) (got []string) {
	w.Helper()
	err := Remove(w.Context(), items, nil, func(r Result) {
		if r.Err != nil {
			w.Errorf("%s %s: %v", r.Kind, r.Name, r.Err)
		}
		got = append(got, fmt.Sprintf("%s %s %v", r.Kind, r.Name, r.Removed))
	})
	if err != nil {
		w.Error(err)
	}
	return got
}

func names(items []Item) (got []string) {
	for _, i := range items {
		got = append(got, fmt.Sprintf("%s %s %s", i.Kind, i.Name, i.Rest))
	}
	slices.Sort(got)
	return got
}

func (w *world) want(what string, got []string, want ...string) {
	w.Helper()
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.Errorf("%s: %q, want %q", what, got, want)
	}
}

// What a living session needs stays, and so does what belongs to another bucket; the rest goes, when
// nothing of it can be under way any more.
func TestOnlyWhatHasEndedGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for sid, state := range map[string]lockmgr.State{
			"alive": lockmgr.Alive, "closed": lockmgr.Closed, "dead": lockmgr.Dead, "missing": lockmgr.Missing, "shared": lockmgr.Closed,
		} {
			w.session(sid, state)
			w.lock(bucketID, "dir/"+sid, sid)
		}
		w.lock("another", "k", "shared")
		items := w.find()
		w.want("found", names(items),
			"lock dir/closed 0s", "lock dir/dead 15s", "lock dir/missing 35s", "lock dir/shared 0s",
			"session closed 15s", "session dead 15s")
		start := time.Now()
		w.want("removed", w.remove(items),
			"lock dir/closed true", "lock dir/shared true", "lock dir/dead true", "lock dir/missing true",
			"session closed true", "session dead true")
		if took := time.Since(start); took != 35*time.Second {
			t.Errorf("it rested %s, want 35s", took)
		}
		if n := w.server.Locks(); n != 2 || w.server.Lock(bucketID+"\x00dir/alive").SID != "alive" {
			t.Errorf("%d locks are left", n)
		}
		w.want("found again", names(w.find()))
	})
}

// A lock comes before its session: with that gone it would be closed for longer.
func TestLocksGoBeforeSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.session("dead", lockmgr.Dead)
		w.lock(bucketID, "k", "dead")
		if got := w.remove(w.find()); !slices.Equal(got, []string{"lock k true", "session dead true"}) {
			t.Errorf("removed %q", got)
		}
	})
}

// What changes while it rests stays.
func TestWhatHasChangedStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.session("dead", lockmgr.Dead)
		w.session("alive", lockmgr.Alive)
		w.lock(bucketID, "stolen", "dead")
		w.lock(bucketID, "late", "late") // its session's request is on its way
		w.lock(bucketID, "dying", "dying")
		items := w.find()
		time.AfterFunc(10*time.Second, func() {
			thief := lockmgr.Lock{Name: bucketID + "\x00stolen", SID: "alive", Nonce: "thief"}
			if _, err := w.table.Table.StealLock(context.Background(), thief, "n-stolen"); err != nil {
				t.Error(err)
			}
			w.session("late", lockmgr.Alive)
			w.session("dying", lockmgr.Dead) // of which a request may be under way for a delay from now
		})
		w.want("removed", w.remove(items), "lock late false", "lock dying false", "lock stolen false", "session dead true")
		if n := w.server.Locks(); n != 3 {
			t.Errorf("%d locks are left, want all", n)
		}
	})
}

// A table that does not answer for a moment, and one that does not answer at all.
func TestRemovalFromATableThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.session("closed", lockmgr.Closed)
		w.lock(bucketID, "k", "closed")
		items := w.find()
		asked := 0
		w.table.Table.(*memtable.Table).SetFaults(func(string) memtable.Fault { asked++; return memtable.Fault{Drop: asked == 1} })
		w.want("removed", w.remove(items), "lock k true", "session closed true")

		w.session("next", lockmgr.Closed)
		items = w.find()
		w.table.Table.(*memtable.Table).Partition(true)
		failed := 0
		if err := Remove(t.Context(), items, nil, func(r Result) {
			if r.Err != nil {
				failed++
			}
		}); err != nil || failed != 1 {
			t.Errorf("%d failures, %v; want 1", failed, err)
		}
	})
}
