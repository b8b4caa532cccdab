package doctor

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

func TestClock(t *testing.T) {
	for _, c := range []struct {
		ahead  time.Duration
		status Status
		says   string
	}{
		{0, OK, "agree to a second"}, {2 * time.Second, OK, "2s behind"}, {time.Minute, OK, "this host is 1m0s behind the server"}, {-time.Minute, OK, "this host is 1m0s ahead of the server"},
		{61 * time.Second, Warn, "1m1s behind"}, {-61 * time.Second, Warn, "1m1s ahead"},
		{15*time.Minute - time.Second, Warn, "14m59s behind"}, {15 * time.Minute, Fail, "refuses"}, {-time.Hour, Fail, "1h0m0s ahead"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(memstore.Options{Now: func() time.Time { return time.Now().Add(c.ahead) }})
			wants(t, checkClock(w.c), "clock", c.status, c.says)
		})
	}
}

// Uploads older than a day by the server's clock are stray, over all pages.
func TestStrayUploads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ahead := time.Duration(0)
		w := newWorld(memstore.Options{Now: func() time.Time { return time.Now().Add(ahead) }})
		begin := func(key string) {
			if _, err := w.b.CreateUpload(t.Context(), store.CreateUploadRequest{Key: key}); err != nil {
				t.Fatal(err)
			}
		}
		wants(t, checkUploads(t.Context(), w.c, ""), "stray-uploads", OK, "none of 0 open uploads")
		for i := range 1500 {
			begin(fmt.Sprintf("d/%04d", i))
		}
		time.Sleep(24*time.Hour - time.Second)
		begin("new")
		w.f.On("ListUploads").Nth(1).Fail(store.Unsent, store.ErrUnavailable)
		wants(t, checkUploads(t.Context(), w.c, ""), "stray-uploads", OK, "none of 1501")
		time.Sleep(3*time.Hour + time.Second)
		l := checkUploads(t.Context(), w.c, "")
		wants(t, l, "stray-uploads", Warn, "1500 of 1501 open uploads are older than a day, the oldest 1d3h; 1500 of them")
		if l.Count != 1500 || len(l.Keys) != firstKeys || l.Keys[0] != "d/0000" {
			t.Errorf("%d, %q", l.Count, l.Keys)
		}
		wants(t, checkUploads(t.Context(), w.c, "new"), "stray-uploads", OK, "none of 1 open")
		ahead = -2 * time.Hour // a server whose clock goes back: nothing is told by ours
		wants(t, checkUploads(t.Context(), w.c, "d/1"), "stray-uploads", Warn, "the oldest 1d1h")
		w.f.On("ListUploads").Fail(store.Refused, store.ErrAccessDenied)
		wants(t, checkUploads(t.Context(), w.c, ""), "stray-uploads", Fail, "right")
	})
}

// What a probe left counts with its versions and delete markers, once no probe can be under way.
func TestProbeLeftovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memstore.Options{Versioned: true})
		w.b.PutForeign("beside", "x")
		wants(t, checkLeftovers(t.Context(), w.c), "probe-leftovers", OK, "none")
		w.b.PutForeign(store.ProbePrefix+"a", "x")
		w.b.DeleteForeign(store.ProbePrefix + "a")
		wants(t, checkLeftovers(t.Context(), w.c), "probe-leftovers", OK, "2 versions")
		time.Sleep(store.ProbeTime)
		w.b.PutForeign(store.ProbePrefix+strings.Repeat("b", 9), "x")
		l := checkLeftovers(t.Context(), w.c)
		wants(t, l, "probe-leftovers", Warn, "2 versions below .latchfs/probe/ were left")
		if l.Count != 2 || l.Keys[0] != store.ProbePrefix+"a" {
			t.Errorf("%+v", l)
		}
		w.f.On("ListVersions").Fail(store.Refused, store.ErrAccessDenied)
		wants(t, checkLeftovers(t.Context(), w.c), "probe-leftovers", Fail, "right")
	})
}

// The same in the bucket of a lock table, by rights that its users have.
func TestProbeLeftoversBesideTheLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(memstore.Options{})
		w.f.On("ListVersions").Fail(store.Refused, store.ErrAccessDenied)
		w.b.PutForeign("v1/config", "x")
		w.b.PutForeign(store.ProbePrefix+"a", "x")
		wants(t, checkLockLeftovers(t.Context(), w.c), "lock-probe-leftovers", OK, "none")
		time.Sleep(store.ProbeTime)
		w.b.PutForeign(store.ProbePrefix+"b", "x")
		l := checkLockLeftovers(t.Context(), w.c)
		wants(t, l, "lock-probe-leftovers", Warn, "1 objects below .latchfs/probe/")
		if l.Count != 1 || l.Keys[0] != store.ProbePrefix+"a" {
			t.Errorf("%+v", l)
		}
		w.f.On("List").Fail(store.Refused, store.ErrAccessDenied)
		wants(t, checkLockLeftovers(t.Context(), w.c), "lock-probe-leftovers", Fail, "right")
	})
}
