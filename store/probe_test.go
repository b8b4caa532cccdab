package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// A probed bucket is one that a probe works on.
type probed struct {
	*testing.T
	b *memstore.Bucket
	f *faultstore.Store
}

func newProbed(t *testing.T, o memstore.Options) *probed {
	b := memstore.New(o)
	return &probed{t, b, faultstore.New(b)}
}

func (p *probed) probe(o store.ProbeOptions) (store.Probed, error) {
	return store.New(p.f, store.Options{}).Probe(p.Context(), o)
}

// found probes and checks what is found, and that nothing is left.
func (p *probed) found(o store.ProbeOptions, want store.Flaws) store.Probed {
	p.Helper()
	got, err := p.probe(o)
	if err != nil || got.Flaws != want || (len(got.Seen) == 0) != (want == 0) || got.Denied != nil || got.Left != 0 {
		p.Errorf("found %s, %v %q, denied %q, %d left; want %s", got.Flaws, err, got.Seen, got.Denied, got.Left, want)
	}
	p.f.Wait()
	p.empty()
	return got
}

func (p *probed) empty() {
	p.Helper()
	if left := p.left(); len(left) > 0 || p.b.OpenUploads() > 0 {
		p.Errorf("left: %d versions, as %+v, and %d uploads", len(left), left[:min(1, len(left))], p.b.OpenUploads())
	}
}

func (p *probed) left() []store.Version {
	page, err := p.b.ListVersions(context.Background(), store.VersionOptions{})
	if err != nil {
		p.Fatal(err)
	}
	return page.Versions
}

var (
	allFlaws = []store.Flaws{store.PutConditions, store.CopyConditions, store.PartSource, store.CompleteConditions, store.DeleteConditions,
		store.AbortHarms, store.WrongReads, store.WrongHistory}
	versionFlaws = store.WrongReads | store.WrongHistory // as memstore has them
)

// Each flaw is found, with and without racers, and nothing else is.
func TestProbeFindsEachFlaw(t *testing.T) {
	for _, flaw := range append([]store.Flaws{0}, allFlaws...) {
		for _, races := range []bool{false, true} {
			t.Run(flaw.String(), func(t *testing.T) {
				got := newProbed(t, memstore.Options{Versioned: true, Flaws: flaw}).found(store.ProbeOptions{Versioned: true, Races: races}, flaw)
				if got.Races != 0 {
					t.Errorf("found by racers: %s", got.Races)
				}
				newProbed(t, memstore.Options{Flaws: flaw}).found(store.ProbeOptions{Races: races}, flaw&^versionFlaws)
			})
		}
	}
}

// What only racers show is found by them alone. A PUT takes half the time that memstore leaves between look and
// act, so that each DELETE has looked before one wins: who comes first is chance else.
func TestProbeFindsRaces(t *testing.T) {
	for _, flaw := range []store.Flaws{store.PutConditions, store.CompleteConditions, store.DeleteConditions} {
		t.Run(flaw.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, versioned := range []bool{true, false} {
					newProbed(t, memstore.Options{Versioned: versioned, Races: flaw}).found(store.ProbeOptions{Versioned: versioned}, 0)
					p := newProbed(t, memstore.Options{Versioned: versioned, Races: flaw})
					p.f.Hook(func(op, _ string, _ int) faultstore.Fault {
						if op == "Put" {
							return faultstore.Fault{Delay: time.Millisecond / 2}
						}
						return faultstore.Fault{}
					})
					got := p.found(store.ProbeOptions{Versioned: versioned, Races: true}, flaw)
					if got.Races != flaw {
						t.Errorf("found by racers: %s", got.Races)
					}
				}
			})
		})
	}
}

// A lock table needs no more than the conditions of PUT and DELETE.
func TestProbeOnly(t *testing.T) {
	only := store.PutConditions | store.DeleteConditions
	p := newProbed(t, memstore.Options{Flaws: ^store.PutConditions &^ store.DeleteConditions})
	p.f.Hook(func(op, _ string, _ int) faultstore.Fault {
		if !slices.Contains([]string{"Put", "Delete", "List"}, op) {
			t.Errorf("a request %s", op)
		}
		return faultstore.Fault{}
	})
	p.found(store.ProbeOptions{Only: only, Races: true}, 0)
	for _, flaw := range []store.Flaws{store.PutConditions, store.DeleteConditions} {
		newProbed(t, memstore.Options{Flaws: flaw}).found(store.ProbeOptions{Only: only}, flaw)
	}
}

// Some 30 requests in 5 round trips, and with racers some 130 more in 9; then 2 round trips to
// remove all of it.
func TestProbeCost(t *testing.T) {
	removing := []string{"List", "ListVersions", "DeleteVersion"}
	for _, c := range []struct {
		races        bool
		least, most  int
		trips        int
		cleaningUpTo int // round trips
	}{{false, 28, 33, 5, 2}, {true, 150, 170, 14, 4}} {
		synctest.Test(t, func(t *testing.T) {
			p := newProbed(t, memstore.Options{Versioned: true})
			p.f.Hook(func(string, string, int) faultstore.Fault { return faultstore.Fault{Delay: time.Second} })
			began := time.Now()
			p.found(store.ProbeOptions{Versioned: true, Races: c.races}, 0)
			n := 0
			for op, m := range p.b.Requests() {
				if !slices.Contains(removing, op) {
					n += m
				}
			}
			n -= p.b.Count("AbortUpload") - 1 // of what was not completed
			if trips := int(time.Since(began) / time.Second); n < c.least || n > c.most || trips < c.trips || trips > c.trips+c.cleaningUpTo {
				t.Errorf("races %v: %d requests in %d round trips", c.races, n, trips)
			}
		})
	}
}

// A server that takes 9 s for each request is probed; one that takes 10 s does not answer.
func TestProbeOfASlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProbed(t, memstore.Options{Versioned: true})
		p.f.Hook(func(string, string, int) faultstore.Fault { return faultstore.Fault{Delay: 9 * time.Second} })
		p.found(store.ProbeOptions{Versioned: true}, 0)
		p.f.Hook(func(string, string, int) faultstore.Fault { return faultstore.Fault{Delay: 10 * time.Second} })
		began := time.Now()
		if _, err := p.probe(store.ProbeOptions{Versioned: true}); !errors.Is(err, store.ErrUnavailable) || time.Since(began) > 3*time.Minute {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// What an interrupted probe has written is removed.
func TestProbeInterrupted(t *testing.T) {
	for after := range 12 {
		synctest.Test(t, func(t *testing.T) {
			p := newProbed(t, memstore.Options{Versioned: true})
			p.f.Hook(func(string, string, int) faultstore.Fault { return faultstore.Fault{Delay: 100 * time.Millisecond} })
			cause := errors.New("SIGTERM")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Duration(after)*100*time.Millisecond+50*time.Millisecond, func() { cancel(cause) })
			began := time.Now()
			_, err := store.New(p.f, store.Options{}).Probe(ctx, store.ProbeOptions{Versioned: true, Races: true})
			if !errors.Is(err, cause) {
				t.Errorf("after %d steps: error %v", after, err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("after %d steps: took %s", after, took)
			}
			p.empty()
		})
	}
}

// Two probes at once do not see each other.
func TestProbesTogether(t *testing.T) {
	p := newProbed(t, memstore.Options{Versioned: true})
	done := make(chan store.Probed)
	for range 2 {
		go func() {
			got, err := p.probe(store.ProbeOptions{Versioned: true, Races: true})
			if err != nil {
				t.Error(err)
			}
			done <- got
		}()
	}
	for range 2 {
		if got := <-done; got.Flaws != 0 || got.Left != 0 {
			t.Errorf("found %+v", got)
		}
	}
	p.empty()
}

// All that is written has a name by which leftovers are known.
func TestProbeNames(t *testing.T) {
	p := newProbed(t, memstore.Options{Versioned: true})
	p.f.Hook(func(op, key string, _ int) faultstore.Fault {
		if key != "" && !strings.HasPrefix(key, store.ProbePrefix) {
			t.Errorf("%s of %s", op, key)
		}
		return faultstore.Fault{}
	})
	p.found(store.ProbeOptions{Versioned: true, Races: true}, 0)
}
