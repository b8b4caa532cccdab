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

// visit walks through a directory as find does.
func visit(t *testing.T, p *Past, dir string, at time.Time) (entries int) {
	t.Helper()
	list, err := p.List(t.Context(), dir, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if found, err := p.Lookup(t.Context(), dir, e.Name, at); err != nil || found.Key != e.Key {
			t.Fatalf("%q: %+v, %v", e.Key, found, err)
		}
		entries++
		if e.Dir {
			entries += visit(t, p, e.Key, at)
		}
	}
	return entries
}

// A walk through a tree asks for each page of versions once, and once for the uploads under way; what
// cannot change is not asked for again.
func TestRequestsOfAWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &pastBucket{bucket: &bucket{page: 10}, delay: 100 * time.Millisecond}
		keys := 0
		for d := range 8 {
			for s := range 3 {
				for f := range 4 {
					b.add(fmt.Sprintf("d%d/s%d/f%d", d, s, f), "v", 0)
					keys++
				}
			}
		}
		time.Sleep(noon.AddDate(0, 0, 1).Sub(time.Now()))
		p := NewPast(b, PastOptions{TTL: time.Second})
		if n := visit(t, p, "", noon); n != keys+8+8*3 {
			t.Errorf("%d entries", n)
		}
		if want := (keys + 9) / 10; b.requests != want || b.asked != 1 {
			t.Errorf("%d requests for %d keys by pages of 10, and %d for the uploads; want %d and 1", b.requests, keys, b.asked, want)
		}
		b.requests = 0
		time.Sleep(time.Hour)
		visit(t, p, "", noon)
		visit(t, p, "", noon.Add(0))
		if b.requests != 0 || b.asked != 1 {
			t.Errorf("%d requests, and %d for uploads, for what is known", b.requests, b.asked)
		}
		// Another time is another listing.
		visit(t, p, "d1/", noon.Add(time.Second))
		if b.requests != 2 || b.asked != 1 {
			t.Errorf("%d requests, and %d for uploads, for a directory of 12 keys", b.requests, b.asked)
		}
	})
}

// Whoever looks at the root of a large tree, or into a directory far below, does not list all of it; a
// walk through all of it asks for little more than each page once.
func TestRequestsInALargeTree(t *testing.T) {
	b := &pastBucket{bucket: &bucket{page: 10}}
	for d := range 5 {
		for f := range 200 {
			b.add(fmt.Sprintf("big%d/sub/f%03d", d, f), "v", 0)
		}
	}
	b.add("z", "v", 0)
	b.add("z", "w", 1)
	for i := range 100 {
		b.del(fmt.Sprintf("dead/f%03d", i), "v", 0)
	}
	const pages = 111
	ask := func(what string, most int, f func(p *Past)) {
		t.Helper()
		p := NewPast(b, PastOptions{TTL: time.Hour})
		b.requests = 0
		f(p)
		if b.requests > most {
			t.Errorf("%s: %d requests, want %d at the most", what, b.requests, most)
		}
	}
	ask("the root", 10+2*5+11, func(p *Past) {
		if got, err := p.List(t.Context(), "", noon.Add(time.Minute)); err != nil || asListed(got) !=
			"big0/=big0/@ big1/=big1/@ big2/=big2/@ big3/=big3/@ big4/=big4/@ z=z@w" {
			t.Errorf("the root: %s, %v", asListed(got), err)
		}
	})
	ask("a file", 6, func(p *Past) {
		dir := ""
		for _, name := range []string{"big3", "sub", "f177"} {
			e, err := p.Lookup(t.Context(), dir, name, noon.Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			dir = e.Key
		}
	})
	ask("a walk", pages+3*5+1, func(p *Past) {
		if n := visit(t, p, "", noon.Add(time.Minute)); n != 5*202+1 {
			t.Errorf("%d entries", n)
		}
	})
	ask("what never was", 1+1+1, func(p *Past) {
		if _, err := p.Lookup(t.Context(), "", "none", noon); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	})
}

// A server that goes on somewhere else than it was asked to is no reason to go round in circles.
func TestPastOfAServerThatIgnoresMarkers(t *testing.T) {
	b := &pastBucket{bucket: &bucket{page: 1}, deaf: true}
	for i := range 3 * wholePages {
		b.add(fmt.Sprintf("d/f%02d", i), "v", 0)
	}
	b.add("z", "v", 0)
	p := NewPast(b, PastOptions{TTL: time.Hour})
	if got, err := p.List(t.Context(), "", noon); err == nil || !strings.Contains(err.Error(), "begins with") {
		t.Errorf("%s, %v", asListed(got), err)
	}
	if got, err := p.List(t.Context(), "d/", noon); err != nil || len(got) != 3*wholePages {
		t.Errorf("%d entries, %v", len(got), err)
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

// What may still change is believed for the TTL alone: the last minute, and what an upload under way
// will change when it is completed. Other directories are known for good.
func TestWhatMayStillChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &pastBucket{bucket: &bucket{}}
		b.add("quiet/f", "v1", 0)
		b.add("busy/f", "v1", 0)
		list := func(p *Past, dir string, at time.Time) string {
			t.Helper()
			got, err := p.List(t.Context(), dir, at)
			if err != nil {
				t.Fatal(err)
			}
			return asListed(got)
		}
		time.Sleep(noon.Add(time.Hour).Sub(time.Now()))
		b.uploads = []store.Upload{{Key: "busy/f", ID: "u", Begun: noon.Add(time.Minute)}}
		p := NewPast(b, PastOptions{TTL: time.Second})
		before, after := noon.Add(30*time.Second), noon.Add(2*time.Minute)
		for _, at := range []time.Time{before, after} {
			for _, dir := range []string{"quiet/", "busy/"} {
				if got := list(p, dir, at); got != "f="+dir+"f@v1" {
					t.Errorf("%s at %v: %s", dir, at, got)
				}
			}
		}
		b.requests, b.asked = 0, 0
		time.Sleep(time.Second)
		list(p, "quiet/", before)
		list(p, "quiet/", after)
		list(p, "busy/", before)
		if b.requests != 0 || b.asked != 0 {
			t.Errorf("%d requests for what cannot change, %d for uploads", b.requests, b.asked)
		}
		// The upload is completed.
		b.add("busy/f", "v2", 60)
		b.uploads = nil
		if got := list(p, "busy/", after); got != "f=busy/f@v2" {
			t.Errorf("after the upload: %s", got)
		}
		if got := list(p, "busy/", before); got != "f=busy/f@v1" {
			t.Errorf("before the upload: %s", got)
		}
		time.Sleep(time.Second)
		b.requests, b.asked = 0, 0
		list(p, "busy/", after)
		if b.requests != 0 || b.asked != 0 {
			t.Errorf("%d requests for what cannot change any more, %d for uploads", b.requests, b.asked)
		}
		// The last minute.
		now := time.Now()
		list(p, "quiet/", now)
		b.add("quiet/f", "v2", now.Sub(noon).Seconds())
		if got := list(p, "quiet/", now); got != "f=quiet/f@v1" {
			t.Errorf("within the TTL: %s", got)
		}
		time.Sleep(time.Second)
		if got := list(p, "quiet/", now); got != "f=quiet/f@v2" {
			t.Errorf("after the TTL: %s", got)
		}
		if b.asked != 0 {
			t.Errorf("%d requests for uploads about a time that is too young", b.asked)
		}
	})
}

// Where the uploads may not be listed, everything is believed for the TTL, and they are not asked for
// each time.
func TestUploadsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &pastBucket{bucket: &bucket{}, refused: store.ErrAccessDenied}
		b.add("f", "v", 0)
		time.Sleep(noon.Add(time.Hour).Sub(time.Now()))
		p := NewPast(b, PastOptions{TTL: time.Second})
		for i := range 10 {
			for range 2 {
				if _, err := p.List(t.Context(), "", noon); err != nil {
					t.Fatal(err)
				}
			}
			if b.requests != i+1 || b.asked != 1 {
				t.Fatalf("after %d s: %d requests, %d for uploads", i, b.requests, b.asked)
			}
			time.Sleep(time.Second)
		}
	})
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

// Whoever goes on with what another began does not take his own part for the whole.
func TestPastGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &pastBucket{bucket: &bucket{page: 2}}
		for _, key := range []string{"a/1", "a/2", "a/3", "a/4", "b"} {
			b.add(key, "v1", 0)
		}
		const all = "1=a/1@v1 2=a/2@v1 3=a/3@v1 4=a/4@v1"
		list := func(p *Past, dir string) string {
			t.Helper()
			got, err := p.List(t.Context(), dir, noon)
			if err != nil {
				t.Fatal(err)
			}
			return asListed(got)
		}
		begin := func(p *Past) {
			t.Helper()
			if _, err := p.Lookup(t.Context(), "", "none", noon); !errors.Is(err, store.ErrNotFound) {
				t.Fatal(err)
			}
		}
		time.Sleep(noon.Add(time.Hour).Sub(time.Now()))
		p := NewPast(b, PastOptions{TTL: time.Second})
		begin(p)
		if got := list(p, "a/"); got != all {
			t.Errorf("a/: %s", got)
		}
		if got := list(p, ""); got != "a/=a/@ b=b@v1" {
			t.Errorf("the root: %s", got)
		}
		b.requests = 0
		if got := list(p, "a/"); got != all || b.requests != 0 {
			t.Errorf("a/, after the root was listed to its end: %s, %d requests", got, b.requests)
		}

		// An upload is completed in between: what was listed before it stays doubtful.
		b.uploads = []store.Upload{{Key: "a/1", ID: "u", Begun: noon}}
		p = NewPast(b, PastOptions{TTL: time.Second})
		list(p, "c/")
		p.settled.look(t.Context(), "", noon) // asks for the uploads
		time.Sleep(600 * time.Millisecond)
		begin(p)
		b.add("a/1", "v2", 0)
		b.uploads = nil
		time.Sleep(600 * time.Millisecond)
		list(p, "a/")
		time.Sleep(time.Second)
		if got := list(p, "a/"); got != strings.Replace(all, "1@v1", "1@v2", 1) {
			t.Errorf("a/, after an upload was completed: %s", got)
		}
	})
}
