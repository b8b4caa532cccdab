package doctor

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// A world is a bucket behind a network.
type world struct {
	b *memstore.Bucket
	f *faultstore.Store
	c *store.Client
}

func newWorld(o memstore.Options) world {
	b := memstore.New(o)
	f := faultstore.New(b)
	return world{b, f, store.New(f, store.Options{})}
}

func wants(t *testing.T, l Line, check string, status Status, says string) {
	t.Helper()
	if l.Check != check || l.Status != status || !strings.Contains(l.String(), says) {
		t.Errorf("%s, want %s of %s with %q", l, status, check, says)
	}
	if (l.Status == OK) != (l.Advice == "") && l.Status != Fail {
		t.Errorf("%s: what to do belongs to what is not fine", l)
	}
}

func TestVersioning(t *testing.T) {
	w := newWorld(memstore.Options{})
	wants(t, checkVersioning(t.Context(), w.c), "versioning", Warn, "off: nothing is kept")
	if err := w.b.EnableVersioning(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, checkVersioning(t.Context(), w.c), "versioning", OK, "on")
	w.b.Suspend()
	wants(t, checkVersioning(t.Context(), w.c), "versioning", Warn, "suspended")
	w.f.On("Versioning").Fail(store.Refused, store.ErrAccessDenied)
	wants(t, checkVersioning(t.Context(), w.c), "versioning", Fail, "right")
}

func TestObjectLock(t *testing.T) {
	w := newWorld(memstore.Options{Versioned: true})
	wants(t, checkRetention(t.Context(), w.c), "object-lock", OK, "no default rule")
	w.b.Retain(store.Retention{Mode: "COMPLIANCE", Years: 7})
	wants(t, checkRetention(t.Context(), w.c), "object-lock", Warn, "COMPLIANCE, 7 years")
}

// A bucket of locks keeps no versions: each heartbeat would be one.
func TestLockBucket(t *testing.T) {
	name := volume.TableName{Backend: volume.BackendS3, Table: "locks"}
	for _, c := range []struct {
		prepare func(b *memstore.Bucket)
		status  Status
		says    string
	}{
		{func(*memstore.Bucket) {}, OK, "fine"},
		{func(b *memstore.Bucket) { b.EnableVersioning(t.Context()) }, Fail, "s3:locks keeps versions"},
		{func(b *memstore.Bucket) { b.Suspend() }, Warn, "kept versions once"},
		{func(b *memstore.Bucket) { b.Retain(store.Retention{Mode: "GOVERNANCE", Days: 1}) }, Fail, "retains each version (GOVERNANCE, 1 days)"},
	} {
		w := newWorld(memstore.Options{})
		c.prepare(w.b)
		wants(t, checkLockBucket(t.Context(), "lock-table", name, w.c, ok("lock-table", "fine")), "lock-table", c.status, c.says)
	}
}

// One answer that the server is too busy is no verdict, and no answer at all is no "ok".
func TestTransientAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memstore.Options{Versioned: true})
		w.b.PutForeign("page/", "bytes")
		for _, op := range []string{"Versioning", "DefaultRetention", "List"} {
			w.f.On(op).Nth(1).Fail(store.Unsent, store.ErrUnavailable)
		}
		wants(t, checkVersioning(t.Context(), w.c), "versioning", OK, "on")
		wants(t, checkRetention(t.Context(), w.c), "object-lock", OK, "no default rule")
		wants(t, checkKeys(t.Context(), w.c, "", versionsDir)[1], "markers-with-bytes", Warn, `1 of 1 keys`)
		w.f.On("").Fail(store.Unsent, store.ErrUnavailable)
		wants(t, checkVersioning(t.Context(), w.c), "versioning", Fail, "run doctor again")
		for _, l := range checkKeys(t.Context(), w.c, "", versionsDir) {
			wants(t, l, l.Check, Fail, "not known")
		}
	})
}

// The listing goes on over its pages.
func TestKeysOfManyPages(t *testing.T) {
	w := newWorld(memstore.Options{})
	for i := range 2500 {
		w.b.PutForeign(strings.Repeat("x", 1+i%200)+"//"+strings.Repeat("y", i/200), "")
	}
	wants(t, checkKeys(t.Context(), w.c, "", versionsDir)[0], "unnameable-keys", Warn, "2500 of 2500 keys")
}

// The line of the lock table tells how long a dead host has its locks.
func TestTimesOfALockTable(t *testing.T) {
	table := volume.LockTable{Name: volume.TableName{Backend: volume.BackendS3, Table: "locks"}, Config: lockmgr.Config{ID: "T",
		Timing: lockmgr.Timing{Beat: 10 * time.Second, Lease: time.Minute, Delay: 30 * time.Second}}}
	const plain = "s3:locks answers, id T, beat 10s, lease 1m0s, delay 30s"
	if got := timesLine("lock-table", table, store.CopyConditions).Found; got != plain {
		t.Errorf("%q", got)
	}
	wants(t, timesLine("lock-table", table, store.CompleteConditions), "lock-table", OK, plain+"; on this server 2m30s more until a lock of a dead host is taken over")
}
