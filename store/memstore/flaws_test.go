package memstore_test

import (
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// Each flaw is there if it is asked for, and no other.
func TestFlaws(t *testing.T) {
	for name, imitates := range map[string]func(*testing.T, *memstore.Bucket) bool{
		"put-conditions":      ignoresOnPut,
		"copy-conditions":     ignoresOnCopy,
		"part-source":         ignoresOnPart,
		"complete-conditions": ignoresOnComplete,
		"delete-conditions":   ignoresOnDelete,
		"abort":               abortRemoves,
		"reads":               readsAll,
		"history":             listsOldestFirst,
	} {
		t.Run(name, func(t *testing.T) {
			flaw, err := store.ParseFlaws([]string{name})
			if err != nil {
				t.Fatal(err)
			}
			if !imitates(t, memstore.New(memstore.Options{Versioned: true, Flaws: flaw})) {
				t.Errorf("a server with the flaw %s has it not", flaw)
			}
			if imitates(t, memstore.New(memstore.Options{Versioned: true, Flaws: ^flaw})) {
				t.Errorf("a server with all flaws but %s has it", flaw)
			}
		})
	}
}

// ignored tells of an answer whether a condition that does not hold was ignored.
func ignored(t *testing.T, err error) bool {
	t.Helper()
	if err != nil && !errors.Is(err, store.ErrPrecondition) {
		t.Fatal(err)
	}
	return err == nil
}

var stale = store.Condition{IfMatch: "stale"}

func ignoresOnPut(t *testing.T, b *memstore.Bucket) bool {
	put(t, b, "k", "old")
	_, err := b.Put(t.Context(), store.PutRequest{Key: "k", Cond: stale, Body: strings.NewReader("new"), Size: 3})
	return ignored(t, err)
}

func ignoresOnCopy(t *testing.T, b *memstore.Bucket) bool {
	old := put(t, b, "k", "old")
	_, target := b.Copy(t.Context(), store.CopyRequest{Key: "k", Cond: stale, Source: "k", Version: old.VersionID})
	_, source := b.Copy(t.Context(), store.CopyRequest{Key: "k", Source: "k", IfMatch: stale.IfMatch})
	if ignored(t, target) != ignored(t, source) {
		t.Errorf("on the target %v, on the source %v", target, source)
	}
	return ignored(t, target)
}

func ignoresOnPart(t *testing.T, b *memstore.Bucket) bool {
	old := put(t, b, "k", "old")
	_, err := b.CopyPart(t.Context(), store.CopyPartRequest{Key: "k", Upload: begin(t, b), Number: 1, Source: "k",
		Version: old.VersionID, IfMatch: stale.IfMatch, Range: store.Range{Length: 3}})
	return ignored(t, err)
}

func begin(t *testing.T, b *memstore.Bucket) (upload string) {
	t.Helper()
	upload, err := b.CreateUpload(t.Context(), store.CreateUploadRequest{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	return upload
}

// upload gives the request that completes an upload.
func upload(t *testing.T, b *memstore.Bucket) store.CompleteRequest {
	t.Helper()
	id := begin(t, b)
	p, err := b.UploadPart(t.Context(), store.PartRequest{Key: "k", Upload: id, Number: 1, Body: strings.NewReader("new"), Size: 3})
	if err != nil {
		t.Fatal(err)
	}
	return store.CompleteRequest{Key: "k", Upload: id, Cond: stale, Parts: []store.Part{p}, Size: 3}
}

func ignoresOnComplete(t *testing.T, b *memstore.Bucket) bool {
	put(t, b, "k", "old")
	_, err := b.CompleteUpload(t.Context(), upload(t, b))
	return ignored(t, err)
}

func ignoresOnDelete(t *testing.T, b *memstore.Bucket) bool {
	put(t, b, "k", "old")
	return ignored(t, b.Delete(t.Context(), store.DeleteRequest{Key: "k", IfMatch: stale.IfMatch}))
}

func abortRemoves(t *testing.T, b *memstore.Bucket) bool {
	put(t, b, "k", "old")
	if err := b.AbortUpload(t.Context(), "k", begin(t, b)); err != nil {
		t.Fatal(err)
	}
	return len(b.History("k")) == 0
}

func readsAll(t *testing.T, b *memstore.Bucket) bool {
	made := put(t, b, "k", "0123456789")
	o, err := b.Get(t.Context(), store.GetRequest{Key: "k", Version: made.VersionID, Range: &store.Range{Offset: 3, Length: 2}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(o.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(got) != "34"
}

func listsOldestFirst(t *testing.T, b *memstore.Bucket) bool {
	for _, key := range []string{"a", "k", "z"} {
		put(t, b, key, "1")
		put(t, b, key, "2")
	}
	page, err := b.ListVersions(t.Context(), store.VersionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var keys string
	for _, v := range page.Versions {
		keys += v.Info.Key
	}
	if keys != "aakkzz" {
		t.Errorf("keys %s", keys)
	}
	for i, v := range page.Versions {
		if v.Latest != ((i%2 == 1) == page.Versions[1].Latest) {
			t.Errorf("entry %d: latest %v", i, v.Latest)
		}
	}
	return page.Versions[1].Latest
}

// Several racers win on a server with Races; a condition that does not hold when it is judged is
// honoured there too.
func TestRaces(t *testing.T) {
	for name, race := range map[string]func(*testing.T, *memstore.Bucket, store.Info) func(int) error{
		"put-conditions": func(t *testing.T, b *memstore.Bucket, base store.Info) func(int) error {
			return func(int) error {
				_, err := b.Put(t.Context(), store.PutRequest{Key: "k", Cond: store.Condition{IfMatch: base.ETag}, Body: strings.NewReader("new"), Size: 3})
				return err
			}
		},
		"complete-conditions": func(t *testing.T, b *memstore.Bucket, base store.Info) func(int) error {
			in := []store.CompleteRequest{upload(t, b), upload(t, b), upload(t, b)}
			return func(i int) error {
				in[i].Cond = store.Condition{IfMatch: base.ETag}
				_, err := b.CompleteUpload(t.Context(), in[i])
				return err
			}
		},
		"delete-conditions": func(t *testing.T, b *memstore.Bucket, base store.Info) func(int) error {
			return func(int) error {
				return b.Delete(t.Context(), store.DeleteRequest{Key: "k", IfMatch: base.ETag})
			}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			flaw, err := store.ParseFlaws([]string{name})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range []memstore.Options{{Versioned: true}, {Versioned: true, Races: flaw}, {Versioned: true, Races: ^flaw}} {
				b := memstore.New(o)
				once := race(t, b, put(t, b, "k", "old"))
				var won atomic.Int32
				var all sync.WaitGroup
				for i := range 3 {
					all.Go(func() {
						if once(i) == nil {
							won.Add(1)
						}
					})
				}
				all.Wait()
				if races := o.Races.Has(flaw); races != (won.Load() > 1) || won.Load() == 0 {
					t.Errorf("%s, races %s: %d have won", name, o.Races, won.Load())
				}
			}
			b := memstore.New(memstore.Options{Versioned: true, Races: flaw})
			if ignoresOnPut(t, b) || ignoresOnComplete(t, b) || ignoresOnDelete(t, b) {
				t.Errorf("%s: a condition that does not hold is ignored", name)
			}
		})
	}
}
