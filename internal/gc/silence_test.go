package gc

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
)

// gone makes the session of a host that is gone for good, with a lock.
func (w *world) gone(sid string) {
	w.Helper()
	if err := w.table.Table.PutSession(w.Context(), lockmgr.Session{SID: sid, Host: "h-" + sid}); err != nil {
		w.Fatal(err)
	}
	w.lock(bucketID, sid, sid)
}

// A host that is gone for good is found although nobody wants its locks, and no other one: neither one
// that lives nor one that is suspended for less than a lease, nor one whose directory on this host goes.
func TestSilentSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.gone("gone")
		w.gone("elsewhere")
		w.lock("another", "k", "elsewhere")
		w.gone("spared")
		w.spare = map[string]bool{"spared": true}
		w.session("alive", lockmgr.Alive)
		w.lock(bucketID, "alive", "alive")
		w.gone("suspended")
		w.beat("suspended", w.server.Table(), times.Lease-5*time.Second)
		time.Sleep(10 * time.Second) // the suspended one has just stopped

		start := time.Now()
		items := w.find()
		w.want("found", names(items), "lock elsewhere 15s", "lock gone 15s", "session gone 15s")
		if took := time.Since(start); took < times.Lease || took > times.Lease+times.Beat {
			t.Errorf("it watched for %s, want a lease", took)
		}
		if s := w.server.Session("gone").State; s != lockmgr.Alive {
			t.Errorf("looking has made the session %s", s)
		}
		start = time.Now()
		w.want("removed", w.remove(items), "lock elsewhere true", "lock gone true", "session gone true")
		if took := time.Since(start); took != times.Delay {
			t.Errorf("the removal took %s, want a delay", took)
		}
		for sid, want := range map[string]lockmgr.State{"gone": lockmgr.Missing, "elsewhere": lockmgr.Dead, "spared": lockmgr.Alive, "alive": lockmgr.Alive, "suspended": lockmgr.Alive} {
			if got := w.server.Session(sid).State; got != want {
				t.Errorf("session %s is %q, want %q", sid, got, want)
			}
		}
		start = time.Now()
		w.spare["elsewhere"] = true
		delete(w.spare, "spared")
		if err := w.table.Table.CloseSession(w.Context(), "spared"); err != nil {
			t.Fatal(err)
		}
		w.want("found again", names(w.find()), "lock spared 0s", "session spared 15s")
		if took := time.Since(start); took > 2*times.Beat {
			t.Errorf("with none but living sessions it took %s", took)
		}
	})
}

// A host that wakes up before it is killed keeps all; one that does so later loses its session, as to
// whoever wants a lock of it, and keeps what it has locked anew.
func TestASessionThatWakesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.gone("early")
		w.gone("late")
		items := w.find()
		w.beat("early", w.server.Table(), 0)
		synctest.Wait()
		time.AfterFunc(time.Second, func() {
			if _, err := w.table.Table.Beat(w.Context(), "late"); !errors.Is(err, lockmgr.ErrSessionDead) {
				t.Errorf("the beat of a session that was killed: %v", err)
			}
			again := lockmgr.Lock{Name: bucketID + "\x00late", SID: "late.2", Nonce: "again"}
			if _, err := w.table.Table.StealLock(w.Context(), again, "n-late"); err != nil {
				t.Error(err)
			}
		})
		w.want("removed", w.remove(items), "lock early false", "session early false", "lock late false", "session late true")
		if s := w.server.Session("early").State; s != lockmgr.Alive {
			t.Errorf("the session that woke up is %q", s)
		}
	})
}

// An outage that keeps a host from beating keeps others from killing it: after it, and after a long wait
// between look and removal, they watch anew.
func TestSilenceIsWatchedAnewAfterAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		host, here := w.server.Table(), w.table.Table.(*memtable.Table)
		w.gone("cut-off")
		w.beat("cut-off", host, 0)
		outage := func(in, lasts time.Duration) {
			for _, side := range []*memtable.Table{host, here} {
				time.AfterFunc(in, func() { side.Partition(true) })
				time.AfterFunc(in+lasts, func() { side.Partition(false) })
			}
		}
		host.Partition(true)
		outage(10*time.Second, 15*time.Second)
		w.want("found over an outage", names(w.find()))

		w.gone("gone")
		host.Partition(true)
		items := w.find()
		w.want("found of a host that was cut off for a lease", names(items), "lock cut-off 15s", "session cut-off 15s", "lock gone 15s", "session gone 15s")
		outage(0, time.Minute)
		time.Sleep(time.Minute - 100*time.Millisecond)
		start := time.Now()
		w.want("removed after an outage", w.remove(items), "lock cut-off false", "session cut-off false", "lock gone true", "session gone true")
		if took := time.Since(start); took < times.Lease+times.Delay {
			t.Errorf("the removal took %s, want a lease and a delay", took)
		}
	})
}

// A table that never answers well shows nothing of a session, which then is named, and stays.
func TestSilenceThatCannotBeWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.gone("gone")
		w.table.Table.(*memtable.Table).SetFaults(func(verb string) memtable.Fault { return memtable.Fault{Drop: verb == "look"} })
		f := w.look()
		if len(f.Items) != 0 || len(f.Left) != 1 || !f.Left[0].Failed || !strings.Contains(f.Left[0].Why, "session gone") {
			t.Errorf("found %+v", f)
		}
		w.table.Table.(*memtable.Table).SetFaults(nil)
		items := w.find()
		w.table.Table.(*memtable.Table).SetFaults(func(verb string) memtable.Fault { return memtable.Fault{Drop: verb == "kill"} })
		failed := 0
		if err := Remove(t.Context(), items, nil, func(r Result) {
			if r.Err != nil && !r.Removed {
				failed++
			}
		}); err != nil || failed != 2 {
			t.Errorf("%d failures, %v; want 2", failed, err)
		}
		if s := w.server.Session("gone").State; s != lockmgr.Alive {
			t.Errorf("the session is %q", s)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := Remove(ctx, items, nil, func(r Result) { t.Errorf("after the end: %+v", r) }); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %v", err)
		}
	})
}

// A moody table refuses what it is asked about a session at times, and has records that the fake cannot have.
type moody struct {
	*memtable.Table
	look func() error
	more []lockmgr.Record
	late string // a session that begins right after the sessions were listed
}

func (m *moody) GetSession(ctx context.Context, sid string) (lockmgr.Session, error) {
	if m.look != nil {
		if err := m.look(); err != nil {
			return lockmgr.Session{}, err
		}
	}
	return m.Table.GetSession(ctx, sid)
}

func (m *moody) Records(ctx context.Context, use func(lockmgr.Record) error) error {
	for _, r := range m.more {
		if err := use(r); err != nil {
			return err
		}
	}
	return m.Table.Records(ctx, func(r lockmgr.Record) error {
		if r.Session != nil && r.Session.SID == m.late {
			return nil
		}
		return use(r)
	})
}

// One answer that the table is too busy begins the lease anew: what kept it from us may keep it from the host.
func TestOneFailedLookBeginsTheWatchAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.gone("gone")
		var busy atomic.Bool
		w.table.Table = &moody{Table: w.server.Table(), look: func() error {
			if busy.Swap(false) {
				return lockmgr.ErrUnavailable
			}
			return nil
		}}
		time.AfterFunc(times.Lease/2-time.Millisecond, func() { busy.Store(true) })
		start := time.Now()
		w.want("found", names(w.find()), "lock gone 15s", "session gone 15s")
		if took := time.Since(start); took < times.Lease*3/2 {
			t.Errorf("it watched for %s", took)
		}
	})
}

// A record that cannot be read is named and keeps nothing else from being found, but for what it might belong
// to: the locks of a session that may be alive, and every session while a lock that does not answer may be
// its own. One that is damaged is nobody's.
func TestRecordsThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.session("closed", lockmgr.Closed)
		w.lock(bucketID, "free", "closed")
		w.lock(bucketID, "k", "unread")
		session := lockmgr.Record{Session: &lockmgr.Session{SID: "unread"}, Err: lockmgr.ErrUnavailable}
		lock := lockmgr.Record{Lock: &lockmgr.Lock{Name: "v1/lock/x"}, Err: lockmgr.ErrUnavailable}
		damaged := lockmgr.Record{Lock: &lockmgr.Lock{Name: "v1/lock/y\n"}, Err: lockmgr.ErrForeignTable}
		old := lockmgr.Record{Session: &lockmgr.Session{SID: "damaged"}, Err: lockmgr.ErrForeignTable}
		table := &moody{Table: w.server.Table()}
		w.table.Table = table
		for _, c := range []struct {
			bad  []lockmgr.Record
			want []string
		}{
			{[]lockmgr.Record{session}, []string{"lock free 0s", "session closed 15s"}},
			{[]lockmgr.Record{session, lock}, []string{"lock free 0s"}},
			{[]lockmgr.Record{session, damaged}, []string{"lock free 0s", "session closed 15s"}},
			{[]lockmgr.Record{session, old}, []string{"lock free 0s", "session closed 15s"}},
		} {
			table.more = c.bad
			f := w.look()
			w.want("found", names(f.Items), c.want...)
			if len(f.Left) != len(c.bad) || !f.Left[0].Failed || strings.Contains(f.Left[len(f.Left)-1].Why, "\n") {
				t.Errorf("not looked at: %+v", f.Left)
			}
			for i, r := range c.bad {
				why, want := f.Left[i].Why, r.Session != nil && r.Err == lockmgr.ErrForeignTable
				if strings.Contains(why, "removed by hand once no host") != want {
					t.Errorf("what to do: %s", why)
				}
			}
		}
	})
}

// A mount that begins while the table is listed, so that its lock is found and its session is not, has lost
// nothing; and where nobody can ask for it, it may be such a one.
func TestASessionThatBeginsMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.session("late", lockmgr.Alive)
		w.lock(bucketID, "k", "late")
		table := &moody{Table: w.server.Table(), late: "late"}
		w.table.Table = table
		w.want("found", names(w.find()))
		table.look = func() error { return lockmgr.ErrUnavailable }
		w.lock(bucketID, "m", "other")
		w.lock(bucketID, "n", "third")
		f := w.look()
		w.want("found without an answer", names(f.Items))
		if len(f.Left) != 1 || !f.Left[0].Failed {
			t.Errorf("not looked at: %+v", f.Left)
		}
	})
}

// What a later version calls the state of a session says nothing about whether it lives.
func TestAStateOfALaterVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.lock(bucketID, "k", "odd")
		w.table.Table = &moody{Table: w.server.Table(), more: []lockmgr.Record{
			{Session: &lockmgr.Session{SID: "odd", State: "resting"}}, {Session: &lockmgr.Session{SID: "without a lock", State: "resting"}},
		}}
		w.want("found", names(w.find()))
	})
}
