package lockmgr_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
)

// times of the tests; the clock is synctest's.
var times = lockmgr.Timing{Beat: 3 * time.Second, Lease: 20 * time.Second, Delay: 30 * time.Second}

const bucketID = "b"

// A rig is a table and the managers of several hosts, in a synctest bubble.
type rig struct {
	t     *testing.T
	srv   *memtable.Server
	start time.Time
	cfg   lockmgr.Config
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, srv: memtable.NewServer(), start: time.Now()}
	cfg, _, err := r.srv.Table().Init(t.Context(), lockmgr.Config{Timing: times})
	if err != nil {
		t.Fatal(err)
	}
	r.cfg = cfg
	return r
}

// A host is one mount: its manager and its connection to the table.
type host struct {
	*lockmgr.Manager
	table *memtable.Table
	// behind is added to the clock: a pause that this host did not notice.
	behind atomic.Int64
}

func (r *rig) host(name string, change ...func(*lockmgr.Options)) *host {
	h := &host{table: r.srv.Table()}
	o := lockmgr.Options{BucketID: bucketID, Name: name, Host: name,
		Now: func() time.Duration { return time.Since(r.start) + time.Duration(h.behind.Load()) + time.Hour }}
	for _, f := range change {
		f(&o)
	}
	h.Manager = lockmgr.New(h.table, r.cfg, o)
	return h
}

func (r *rig) acquire(h *host, key string, wait time.Duration) *lockmgr.Lease {
	r.t.Helper()
	l, err := h.Acquire(r.t.Context(), key, wait)
	if err != nil {
		r.t.Fatalf("Acquire(%q, %s): %v", key, wait, err)
	}
	if err := l.Check(); err != nil {
		r.t.Fatalf("lease of %q is not valid when it is given out: %v", key, err)
	}
	return l
}

// stop ends a host without its cooperation.
func (r *rig) crash(h *host) {
	r.t.Helper()
	h.table.Partition(true)
	ctx, cancel := context.WithCancel(r.t.Context())
	cancel()
	if err := h.Close(ctx); err == nil {
		r.t.Error("a cut-off host closed its session")
	}
}

func (r *rig) close(hs ...*host) {
	r.t.Helper()
	for _, h := range hs {
		ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Minute)
		if err := h.Close(ctx); err != nil {
			r.t.Errorf("Close: %v", err)
		}
		cancel()
	}
}

func lockName(key string) string { return bucketID + "\x00" + key }

// A key that this host let go, which the table was not told yet, is not locked by anybody:
// it is the table that keeps an acquisition waiting.
func TestAcquireBehindUnansweredRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a := r.host("a")
		l := r.acquire(a, "k", 0)
		var held *lockmgr.HeldError
		if _, err := a.Acquire(t.Context(), "k", time.Second); !errors.As(err, &held) {
			t.Errorf("Acquire of what this host holds = %v", err)
		}
		a.table.Partition(true)
		l.Release()
		if _, err := a.Acquire(t.Context(), "k", 15*time.Second); !errors.Is(err, lockmgr.ErrUnavailable) || errors.As(err, &held) {
			t.Errorf("Acquire while the release is not answered = %v", err)
		}
		a.table.Partition(false)
		r.acquire(a, "k", 20*time.Second).Release()
		r.close(a)
	})
}

func TestAcquireReleaseClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b := r.host("a"), r.host("b")
		if n := len(a.Requests()); n != 0 {
			t.Errorf("a new manager sent %v", a.Requests())
		}
		l := r.acquire(a, "k", 0)
		if got := r.srv.Lock(lockName("k")); got.SID != "a.1" || got.Host != "a" {
			t.Errorf("lock item = %+v", got)
		}
		var held *lockmgr.HeldError
		if _, err := b.Acquire(t.Context(), "k", 0); !errors.As(err, &held) || held.Host != "a" || held.Key != "k" {
			t.Errorf("Acquire of a held key = %v", err)
		}
		l.Release()
		l.Release()
		if err := l.Check(); !errors.Is(err, lockmgr.ErrLost) {
			t.Errorf("Check after Release = %v", err)
		}
		synctest.Wait()
		r.acquire(b, "k", 0).Release()
		r.close(a, b)
		if got := r.srv.Session("a.1").State; got != lockmgr.Closed {
			t.Errorf("session after Close is %q", got)
		}
		if n := r.srv.Locks(); n != 0 {
			t.Errorf("%d locks left", n)
		}
		if _, err := a.Acquire(t.Context(), "k", 0); !errors.Is(err, lockmgr.ErrClosed) {
			t.Errorf("Acquire after Close = %v", err)
		}
		if err := a.Close(t.Context()); err != nil {
			t.Errorf("second Close = %v", err)
		}
	})
}

// LOCKS P9.
func TestRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a := r.host("a")
		for i := range 100 {
			r.acquire(a, fmt.Sprint(i), 0).Release()
			synctest.Wait()
		}
		var keep []*lockmgr.Lease
		for i := range 50 {
			keep = append(keep, r.acquire(a, fmt.Sprint("keep", i), 0))
		}
		time.Sleep(10*times.Beat + times.Beat/2)
		want := map[string]int64{"session": 1, "acquire": 150, "release": 100, "beat": 10}
		if got := a.Requests(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("requests = %v, want %v", got, want)
		}
		for _, l := range keep {
			l.Release()
		}
		r.close(a)
	})
}

// SEMANTICS G7: free after lease plus delay, once, for all keys together.
func TestDeadHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b := r.host("a"), r.host("b")
		l := r.acquire(a, "k", 0)
		r.acquire(a, "k2", 0)
		r.crash(a)
		began := time.Now()
		got := r.acquire(b, "k", 5*time.Minute)
		took := time.Since(began)
		if low := times.Lease + times.Delay; took < low || took > low+2*times.Beat {
			t.Errorf("lock of a dead host taken after %s, want %s and little more", took, low)
		}
		if err := l.Check(); !errors.Is(err, lockmgr.ErrExpired) {
			t.Errorf("lease of the dead host: %v", err)
		}
		began = time.Now()
		got2 := r.acquire(b, "k2", 5*time.Minute)
		if took := time.Since(began); took > time.Second {
			t.Errorf("second key of the dead host took %s more", took)
		}
		got.Release()
		got2.Release()
		r.close(b)
	})
}

// A row of short tries finds a death as one long wait does.
func TestDeadHostShortTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b := r.host("a"), r.host("b")
		r.acquire(a, "k", 0)
		r.crash(a)
		began := time.Now()
		for {
			l, err := b.Acquire(t.Context(), "k", time.Second)
			if err == nil {
				l.Release()
				break
			}
			if time.Since(began) > 2*(times.Lease+times.Delay) {
				t.Fatalf("still not free: %v", err)
			}
			time.Sleep(7 * time.Second)
		}
		r.close(b)
	})
}

// LOCKS P7: the table is away, then heals; nobody is killed, though somebody waited all
// the time.
func TestTableOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b := r.host("a"), r.host("b")
		l := r.acquire(a, "k", 0)
		done := make(chan error)
		go func() {
			lb, err := b.Acquire(t.Context(), "k", time.Hour)
			if err == nil {
				lb.Release()
			}
			done <- err
		}()
		time.Sleep(time.Minute)
		for range 3 {
			a.table.Partition(true)
			b.table.Partition(true)
			time.Sleep(3 * time.Minute)
			if err := l.Check(); !errors.Is(err, lockmgr.ErrExpired) {
				t.Errorf("Check during the outage = %v", err)
			}
			a.table.Partition(false)
			b.table.Partition(false)
			time.Sleep(time.Minute)
			if err := l.Check(); err != nil {
				t.Errorf("Check after the outage = %v", err)
			}
		}
		l.Release()
		if err := <-done; err != nil {
			t.Errorf("the waiter got %v", err)
		}
		r.close(a, b)
	})
}

// LOCKS P7: a pause longer than the lease, contested.
func TestPauseLongerThanLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a, b := r.host("a"), r.host("b")
		l := r.acquire(a, "k", 0)
		a.table.Partition(true) // no beat: the process stands still
		lb := r.acquire(b, "k", 5*time.Minute)
		select {
		case <-l.Lost():
			t.Error("lost before it could know")
		default:
		}
		a.table.Partition(false)
		<-l.Lost()
		if err := l.Check(); !errors.Is(err, lockmgr.ErrLost) {
			t.Errorf("Check = %v", err)
		}
		// The other holds it; after that a new session of ours gets it.
		if _, err := a.Acquire(t.Context(), "k", time.Second); !errors.As(err, new(*lockmgr.HeldError)) {
			t.Errorf("Acquire = %v", err)
		}
		lb.Release()
		r.acquire(a, "k", 5*time.Second).Release()
		if got := a.Sessions(); fmt.Sprint(got) != "[a.1 a.2]" {
			t.Errorf("sessions = %v", got)
		}
		l.Release()
		r.close(a, b)
	})
}

// A suspended holder sees at once that its lease is over, before any request.
func TestSuspend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		a := r.host("a")
		l := r.acquire(a, "k", 0)
		a.behind.Store(int64(times.Lease - times.Margin()))
		if err := l.Check(); !errors.Is(err, lockmgr.ErrExpired) {
			t.Errorf("Check = %v", err)
		}
		time.Sleep(2 * times.Beat)
		if err := l.Check(); err != nil {
			t.Errorf("Check after the next beat, uncontested = %v", err)
		}
		l.Release()
		r.close(a)
	})
}
