package history

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

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
		time.Sleep(time.Until(noon.Add(time.Hour)))
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
		time.Sleep(time.Until(noon.Add(time.Hour)))
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
		time.Sleep(time.Until(noon.Add(time.Hour)))
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
