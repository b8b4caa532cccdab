package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// A pastBucket has uploads under way, too.
type pastBucket struct {
	*bucket
	uploads []store.Upload
	asked   int // how often for the uploads
	refused error
	delay   time.Duration // of a listing
	deaf    bool          // it does not heed a marker that is no key
}

func (b *pastBucket) ListUploads(context.Context, store.UploadOptions) (store.UploadPage, error) {
	b.asked++
	return store.UploadPage{Uploads: b.uploads}, b.refused
}

func (b *pastBucket) ServerNow() time.Time { return time.Now() }

func (b *pastBucket) ListVersions(ctx context.Context, o store.VersionOptions) (store.VersionPage, error) {
	time.Sleep(b.delay)
	if b.deaf && strings.HasSuffix(o.KeyMarker, "\U0010FFFF") {
		o.KeyMarker = ""
	}
	return b.bucket.ListVersions(ctx, o)
}

// stood gives the version of each key that the times of Versions say was current at a time.
func (b *bucket) stood(t *testing.T, at time.Time) map[string]store.Info {
	t.Helper()
	stood := make(map[string]store.Info)
	keys := make(map[string]bool)
	for _, v := range b.versions {
		keys[v.Info.Key] = true
	}
	for key := range keys {
		versions, err := New(b).Versions(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range slices.Backward(versions) {
			if v.Time.After(at) {
				continue
			}
			if !v.Deleted {
				stood[key] = v.Info
			}
			break
		}
	}
	return stood
}

// showEntries gives the names of entries with the versions that they have.
func showEntries(entries []tree.Entry, version func(key string) string) string {
	var s []string
	for _, e := range entries {
		name := e.Name
		if e.Dir {
			name += "/"
		}
		s = append(s, fmt.Sprintf("%s=%s@%s", name, e.Key, version(e.Key)))
	}
	return strings.Join(s, " ")
}

func id(i store.Info) string { return i.VersionID }

// asListed are the entries of a directory as List gives them.
func asListed(entries []tree.Entry) string {
	byKey := make(map[string]store.Info)
	for _, e := range entries {
		byKey[e.Key] = e.Info
	}
	return showEntries(entries, func(key string) string { return id(byKey[key]) })
}

// live shows the directories of a bucket with these objects.
func live(t *testing.T, stood map[string]store.Info) func(dir string) string {
	t.Helper()
	b := memstore.New(memstore.Options{})
	for key := range stood {
		b.PutForeign(key, "x")
	}
	names := tree.New(store.New(b, store.Options{}), tree.Options{})
	return func(dir string) string {
		entries, err := names.List(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return showEntries(entries, func(key string) string { return id(stood[key]) })
	}
}

// randomBucket makes changes of some keys, uploads and deletions among them, and gives all directories.
func randomBucket(r *rand.Rand, changes int) (b *bucket, dirs []string) {
	b = &bucket{}
	component := []string{"a", "b", "a~file", "a-", "a0", "\U0010FFFF"}
	seen := map[string]bool{"": true}
	for i := range changes {
		key := ""
		for range 1 + r.IntN(3) {
			key += component[r.IntN(len(component))] + "/"
			seen[key] = true
		}
		if r.IntN(5) > 0 {
			key = strings.TrimSuffix(key, "/")
		}
		at := float64(i / 3)
		switch r.IntN(6) {
		case 0: // an upload, which began earlier
			b.add(key, fmt.Sprintf("v%04d", i), at-float64(r.IntN(20)))
		case 1, 2:
			b.del(key, fmt.Sprintf("v%04d", i), at)
		default:
			b.add(key, fmt.Sprintf("v%04d", i), at)
		}
	}
	return b, slices.Sorted(maps.Keys(seen))
}

// Whatever has happened, a directory shows at each time what the names and the times of the versions
// say, under the names that the live tree gives: asked in any order, by pages of any size, of trees
// that are listed whole and of those that are not.
// SEMANTICS ".versions/"
func TestPastAtRandomTimes(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 9))
		b, dirs := randomBucket(r, 20+r.IntN(80))
		b.page = []int{1, 2, 3, 7, 1000}[r.IntN(5)]
		for range 5 {
			at := noon.Add(time.Duration(r.IntN(60)-5) * time.Second)
			stood := b.stood(t, at)
			want := live(t, stood)
			p := NewPast(&pastBucket{bucket: b}, PastOptions{TTL: time.Hour})
			for range 20 {
				dir := dirs[r.IntN(len(dirs))]
				if r.IntN(2) == 0 {
					got, err := p.List(t.Context(), dir, at)
					if s := asListed(got); err != nil || s != want(dir) {
						t.Fatalf("seed %d, pages of %d: %q at %v: %s, %v\nwant %s", seed, b.page, dir, at, s, err, want(dir))
					}
					continue
				}
				for _, name := range []string{"a", "b", "a~file", "a~file~file", "a-", "none"} {
					e, err := p.Lookup(t.Context(), dir, name, at)
					got := asListed([]tree.Entry{e})
					if errors.Is(err, store.ErrNotFound) {
						got, err = "", nil
					}
					found := slices.DeleteFunc(strings.Fields(want(dir)), func(s string) bool {
						return !strings.HasPrefix(s, name+"=") && !strings.HasPrefix(s, name+"/=")
					})
					if s := strings.Join(found, " "); err != nil || got != s {
						t.Fatalf("seed %d, pages of %d: %q in %q at %v: %s, %v\nwant %s", seed, b.page, name, dir, at, got, err, s)
					}
				}
			}
		}
	}
}

// The memory of all pasts together is bounded.
func TestPastIsBounded(t *testing.T) {
	b := &pastBucket{bucket: &bucket{}}
	for f := range 3000 {
		b.add(fmt.Sprintf("d/f%04d", f), "v", 0)
	}
	p := NewPast(b, PastOptions{TTL: time.Hour})
	for i := range 40 {
		if _, err := p.List(t.Context(), "d/", noon.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
		weight := 0
		for _, e := range p.kept {
			weight += e.Value.(*keptPast).listing.weight()
		}
		if weight != p.weight || weight > maxPast || p.order.Len() != len(p.kept) {
			t.Fatalf("%d listings weigh %d, %d is counted", len(p.kept), weight, p.weight)
		}
	}
	if len(p.kept) != maxPast/1501 {
		t.Errorf("%d listings are kept", len(p.kept))
	}
	b.requests = 0
	p.List(t.Context(), "d/", noon.Add(39*time.Second))
	if b.requests != 0 {
		t.Error("the last one is not kept")
	}
}

// Those who want a directory at the same time share one listing; who waits ends with his own context.
func TestPastIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &pastBucket{bucket: &bucket{}, delay: time.Second}
		b.add("f", "v", 0)
		p := NewPast(b, PastOptions{TTL: time.Minute})
		impatient, cancel := context.WithTimeoutCause(t.Context(), time.Second/2, errors.New("enough"))
		defer cancel()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if got, err := p.List(t.Context(), "", noon); err != nil || asListed(got) != "f=f@v" {
					t.Errorf("%s, %v", asListed(got), err)
				}
			})
		}
		synctest.Wait()
		if _, err := p.List(impatient, "", noon); err == nil || err.Error() != "enough" {
			t.Error(err)
		}
		wg.Wait()
		if b.requests != 1 {
			t.Errorf("%d requests", b.requests)
		}
	})
}

// An error is told, and not remembered.
func TestPastFails(t *testing.T) {
	b := &pastBucket{bucket: &bucket{err: errors.New("broken")}}
	b.add("d/f", "v", 0)
	p := NewPast(b, PastOptions{TTL: time.Hour})
	for range 2 {
		if _, err := p.List(t.Context(), "d/", noon); !errors.Is(err, b.err) {
			t.Errorf("List: %v", err)
		}
		if _, err := p.Lookup(t.Context(), "d/", "f", noon); !errors.Is(err, b.err) {
			t.Errorf("Lookup: %v", err)
		}
	}
	b.err = nil
	if got, err := p.Lookup(t.Context(), "d/", "f", noon); err != nil || got.Info.VersionID != "v" {
		t.Errorf("%+v, %v", got, err)
	}
}
