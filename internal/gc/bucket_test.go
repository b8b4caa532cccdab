package gc

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// Uploads go when they are a week old, by the server's clock, and those of probes earlier; what probes
// have left goes, and no other object.
func TestWhatTheBucketHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := memstore.New(memstore.Options{Versioned: true, Now: func() time.Time { return time.Now().Add(3 * time.Hour) }})
		f := faultstore.New(b)
		c := store.New(f, store.Options{})
		begin := func(key string) {
			if _, err := b.CreateUpload(t.Context(), store.CreateUploadRequest{Key: key}); err != nil {
				t.Fatal(err)
			}
		}
		find := func() (found Found) {
			t.Helper()
			found.inBucket(t.Context(), c)
			return found
		}
		begin("large")
		time.Sleep(uploadAge - store.ProbeTime)
		begin("new")
		begin(store.ProbePrefix + "u")
		b.PutForeign("file", "x")
		b.PutForeign(store.ProbePrefix+"a", "x")
		b.DeleteForeign(store.ProbePrefix + "a")
		w.want("at first", names(find().Items))
		time.Sleep(store.ProbeTime)
		b.PutForeign(store.ProbePrefix+"late", "x") // of a probe that is under way
		found := find()
		w.want("found", names(found.Items), "upload .latchfs/probe/u 0s", "upload large 0s", "probe .latchfs/probe/a 0s", "probe .latchfs/probe/a 0s")
		w.want("removed", w.remove(found.Items), "upload .latchfs/probe/u true", "upload large true", "probe .latchfs/probe/a true", "probe .latchfs/probe/a true")
		w.want("found again", names(find().Items))
		if b.OpenUploads() != 1 || fmt.Sprint(b.Keys()) != "[.latchfs/probe/late file]" {
			t.Errorf("%d uploads and %q are left", b.OpenUploads(), b.Keys())
		}

		f.On("ListUploads").Fail(store.Refused, store.ErrAccessDenied)
		if found := find(); len(found.Left) != 1 || len(found.Items) != 0 {
			t.Errorf("without the right: %+v", found)
		}
		f.Heal()
		c.SetFlaws(store.AbortHarms)
		if found := find(); len(found.Left) != 1 || len(found.Items) != 0 {
			t.Errorf("where Abort harms: %+v", found)
		}
		f.On("ListVersions").Fail(store.Refused, store.ErrNoBucket)
		if found := find(); len(found.Left) != 2 || found.Left[0].Failed || !found.Left[1].Failed {
			t.Errorf("without a bucket: %+v", found)
		}
	})
}

// Nothing but what a probe wrote can be removed that way.
func TestOnlyProbedObjectsAreRemoved(t *testing.T) {
	b := memstore.New(memstore.Options{Versioned: true})
	i := b.PutForeign("file", "x")
	if err := store.New(b, store.Options{}).RemoveProbed(t.Context(), "file", i.VersionID); !errors.Is(err, store.ErrRefused) || len(b.History("file")) != 1 {
		t.Errorf("%v, %+v", err, b.History("file"))
	}
}

// What probes have left in the bucket of the lock table goes by rights that its users have.
func TestWhatProbesLeftBesideTheLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := memstore.New(memstore.Options{})
		f := faultstore.New(b)
		for _, op := range []string{"ListVersions", "DeleteVersion"} {
			f.On(op).Fail(store.Refused, store.ErrAccessDenied)
		}
		b.PutForeign("v1/config", "x")
		b.PutForeign(store.ProbePrefix+"a", "x")
		find := func() (found Found) {
			found.inLockBucket(t.Context(), store.New(f, store.Options{}))
			if len(found.Left) != 0 {
				t.Errorf("not looked at: %+v", found.Left)
			}
			return found
		}
		w.want("at first", names(find().Items))
		time.Sleep(store.ProbeTime)
		found := find()
		w.want("found", names(found.Items), "probe .latchfs/probe/a 0s")
		w.want("removed", w.remove(found.Items), "probe .latchfs/probe/a true")
		if fmt.Sprint(b.Keys()) != "[v1/config]" {
			t.Errorf("%q are left", b.Keys())
		}
		new(Found).inLockBucket(t.Context(), nil) // a DynamoDB table is in none
	})
}
