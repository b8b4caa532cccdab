package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// A deaf server does not hear some of what a request says.
type deaf struct {
	store.API
	put      func(*store.PutRequest)
	copy     func(*store.CopyRequest)
	part     func(*store.CopyPartRequest)
	complete func(*store.CompleteRequest)
	get      func(*store.GetRequest)
}

func (d deaf) Put(ctx context.Context, in store.PutRequest) (store.Info, error) {
	if d.put != nil {
		d.put(&in)
	}
	return d.API.Put(ctx, in)
}

func (d deaf) Copy(ctx context.Context, in store.CopyRequest) (store.Info, error) {
	if d.copy != nil {
		d.copy(&in)
	}
	return d.API.Copy(ctx, in)
}

func (d deaf) CopyPart(ctx context.Context, in store.CopyPartRequest) (store.Part, error) {
	if d.part != nil {
		d.part(&in)
	}
	return d.API.CopyPart(ctx, in)
}

func (d deaf) CompleteUpload(ctx context.Context, in store.CompleteRequest) (store.Info, error) {
	if d.complete != nil {
		d.complete(&in)
	}
	return d.API.CompleteUpload(ctx, in)
}

func (d deaf) Get(ctx context.Context, in store.GetRequest) (*store.Object, error) {
	if d.get != nil {
		d.get(&in)
	}
	return d.API.Get(ctx, in)
}

// Each condition is proved by itself.
func TestProbeOfEachCondition(t *testing.T) {
	for name, c := range map[string]struct {
		deaf  deaf
		flaw  store.Flaws
		alone bool // on buckets without versions
	}{
		"PUT If-None-Match":      {deaf: deaf{put: func(in *store.PutRequest) { in.Cond.IfNone = false }}, flaw: store.PutConditions},
		"PUT If-Match":           {deaf: deaf{put: func(in *store.PutRequest) { in.Cond.IfMatch = "" }}, flaw: store.PutConditions},
		"copy If-None-Match":     {deaf: deaf{copy: func(in *store.CopyRequest) { in.Cond.IfNone = false }}, flaw: store.CopyConditions},
		"copy If-Match":          {deaf: deaf{copy: func(in *store.CopyRequest) { in.Cond.IfMatch = "" }}, flaw: store.CopyConditions},
		"copy source":            {deaf: deaf{copy: func(in *store.CopyRequest) { in.IfMatch = "" }}, flaw: store.CopyConditions},
		"copy metadata":          {deaf: deaf{copy: func(in *store.CopyRequest) { in.Props.Meta = nil }}, flaw: store.CopyConditions},
		"part source":            {deaf: deaf{part: func(in *store.CopyPartRequest) { in.IfMatch = "" }}, flaw: store.PartSource},
		"complete If-None-Match": {deaf: deaf{complete: func(in *store.CompleteRequest) { in.Cond.IfNone = false }}, flaw: store.CompleteConditions},
		"complete If-Match":      {deaf: deaf{complete: func(in *store.CompleteRequest) { in.Cond.IfMatch = "" }}, flaw: store.CompleteConditions},
		"range":                  {deaf: deaf{get: func(in *store.GetRequest) { in.Range = nil }}, flaw: store.WrongReads},
		"version":                {deaf: deaf{get: func(in *store.GetRequest) { in.Version = "" }}, flaw: store.WrongReads},
		"range of a version": {deaf: deaf{get: func(in *store.GetRequest) {
			if in.Version != "" {
				in.Range = nil
			}
		}}, flaw: store.WrongReads},
		"GET If-Match": {deaf: deaf{get: func(in *store.GetRequest) { in.IfMatch = "" }}, flaw: store.WrongReads, alone: true},
	} {
		b := memstore.New(memstore.Options{Versioned: !c.alone})
		c.deaf.API = b
		got, err := store.New(c.deaf, store.Options{}).Probe(t.Context(), store.ProbeOptions{Versioned: !c.alone})
		if err != nil || got.Flaws != c.flaw || got.Left != 0 {
			t.Errorf("%s: found %s, %v, %q; want %s", name, got.Flaws, err, got.Seen, c.flaw)
		}
	}
}

// Requests that a server does not have are its flaws, no errors.
func TestProbeOfMissingRequests(t *testing.T) {
	for op, want := range map[string]store.Flaws{
		"Copy": store.CopyConditions, "CopyPart": store.PartSource, "CompleteUpload": store.CompleteConditions,
		"CreateUpload": store.CompleteConditions | store.PartSource, "UploadPart": store.CompleteConditions,
		"Delete": store.DeleteConditions, "Get": store.WrongReads, "ListVersions": store.WrongHistory, "Put": store.PutConditions,
	} {
		p := newProbed(t, memstore.Options{Versioned: true})
		p.f.On(op).Do(faultstore.Fault{Err: &store.AttemptError{Fate: store.Refused, Code: "NotImplemented", Err: store.ErrRefused}})
		got, err := p.probe(store.ProbeOptions{Versioned: true, Races: true})
		if err != nil || got.Flaws != want || len(got.Seen) == 0 || got.Races != 0 {
			t.Errorf("%s: found %s, %v, %q, by racers %s; want %s", op, got.Flaws, err, got.Seen, got.Races, want)
		}
		if n := len(p.left()); got.Left != n || n > 0 && op != "ListVersions" {
			t.Errorf("%s: says that %d are left, there are %d", op, got.Left, n)
		}
	}
}

var probeOps = []string{"Put", "Get", "Copy", "Delete", "CreateUpload", "UploadPart", "CopyPart", "CompleteUpload", "AbortUpload", "ListVersions", "DeleteVersion"}

// A request whose answer is lost, that does not get through, or that a box in the middle sends
// twice shows nothing of the server.
func TestProbeWithoutClearAnswers(t *testing.T) {
	busy := &store.AttemptError{Fate: store.Refused, Code: "ConditionalRequestConflict", Err: store.ErrBusy}
	for name, fault := range map[string]faultstore.Fault{
		"lost":     {LoseReply: true},
		"unsent":   {Err: &store.AttemptError{Fate: store.Unsent, Code: "SlowDown", Err: errSlow}},
		"unknown":  {Err: &store.AttemptError{Fate: store.Unknown, Code: "InternalError", Err: errReset}},
		"busy":     {Err: busy},
		"hanging":  {Hang: true},
		"resent":   {Resend: true},
		"too late": {Late: 2 * time.Second},
	} {
		for _, op := range probeOps {
			for nth := 1; nth <= 3; nth++ {
				synctest.Test(t, func(t *testing.T) {
					if name == "busy" && !slices.Contains([]string{"Put", "Copy", "Delete", "CompleteUpload"}, op) {
						return
					}
					p := newProbed(t, memstore.Options{Versioned: true})
					p.f.On(op).Nth(nth).Do(fault)
					got, err := p.probe(store.ProbeOptions{Versioned: true})
					if err != nil || got.Flaws != 0 || got.Left != 0 && op != "DeleteVersion" && op != "AbortUpload" {
						t.Errorf("%s %d %s: found %s, %v, %q, %d left", op, nth, name, got.Flaws, err, got.Seen, got.Left)
					}
					p.f.Wait()
					if lost := name == "lost" || name == "resent" || name == "too late"; !(lost && op == "CreateUpload") && name != "too late" && got.Left == 0 {
						p.empty()
					}
				})
			}
		}
	}
}

// Of a network that loses, refuses and delays a tenth of all requests nothing comes but time.
func TestProbeOverABadNetwork(t *testing.T) {
	const seeds = 30
	answered := 0
	for seed := range uint64(seeds) {
		synctest.Test(t, func(t *testing.T) {
			p := newProbed(t, memstore.Options{Versioned: true})
			r := rand.New(rand.NewPCG(seed, 8))
			faults := make(chan faultstore.Fault)
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				for {
					f := []faultstore.Fault{{}, {LoseReply: true}, {Err: &store.AttemptError{Fate: store.Unsent, Err: errSlow}}, {Resend: true}, {Delay: time.Second}}[max(0, r.IntN(45)-40)]
					select {
					case faults <- f:
					case <-stop:
						return
					}
				}
			}()
			p.f.Hook(func(string, string, int) faultstore.Fault { return <-faults })
			got, err := p.probe(store.ProbeOptions{Versioned: true, Races: true})
			if err != nil && !errors.Is(err, store.ErrUnavailable) || got.Flaws != 0 {
				t.Errorf("seed %d: found %s, %v, %q", seed, got.Flaws, err, got.Seen)
			}
			if err == nil {
				answered++
			}
			if left := p.left(); len(left) > 0 {
				t.Errorf("seed %d: %d versions are left", seed, len(left))
			}
		})
	}
	if answered < seeds*9/10 {
		t.Errorf("%d of %d probes came to an end", answered, seeds)
	}
}

// A server that does not answer shows nothing.
func TestProbeUnanswered(t *testing.T) {
	for _, op := range []string{"Put", "CompleteUpload", "Get"} {
		synctest.Test(t, func(t *testing.T) {
			p := newProbed(t, memstore.Options{Versioned: true})
			p.f.On(op).Fail(store.Unsent, errSlow)
			got, err := p.probe(store.ProbeOptions{Versioned: true})
			if !errors.Is(err, store.ErrUnavailable) || got.Flaws != 0 {
				t.Errorf("%s: %v, found %s", op, err, got.Flaws)
			}
			p.empty()
		})
	}
}

// What these credentials may not do is told by name.
func TestProbeDenied(t *testing.T) {
	for _, op := range probeOps {
		p := newProbed(t, memstore.Options{Versioned: true})
		p.f.On(op).Fail(store.Refused, store.ErrAccessDenied)
		got, err := p.probe(store.ProbeOptions{Versioned: true, Races: true})
		if op == "Put" {
			if !errors.Is(err, store.ErrAccessDenied) {
				t.Errorf("%s: %v", op, err)
			}
			p.empty()
			continue
		}
		if err != nil || got.Flaws != 0 || !slices.Equal(got.Denied, []string{op}) {
			t.Errorf("%s: found %s, %v, denied %q", op, got.Flaws, err, got.Denied)
		}
		switch n := len(p.left()) + p.b.OpenUploads(); {
		case op == "DeleteVersion" || op == "AbortUpload":
			if got.Left != n || n == 0 || got.Kept {
				t.Errorf("%s: says that %d are left, there are %d", op, got.Left, n)
			}
		case op == "ListVersions":
			for _, v := range p.left() {
				if !v.Deleted {
					t.Errorf("%s: a known version is left: %+v", op, v)
				}
			}
		default:
			p.empty()
		}
	}
}

// Where Object Lock keeps what is written, the probe says how much of it.
func TestProbeUnderRetention(t *testing.T) {
	p := newProbed(t, memstore.Options{Versioned: true, Retention: store.Retention{Mode: "GOVERNANCE", Days: 1}})
	got, err := p.probe(store.ProbeOptions{Versioned: true})
	if n := len(p.left()); err != nil || got.Flaws != 0 || got.Left != n || n == 0 || !got.Kept {
		t.Errorf("found %s, %v; says that %d are left, there are %d", got.Flaws, err, got.Left, n)
	}
}

// A bucket that is gone is an error.
func TestProbeWithoutBucket(t *testing.T) {
	p := newProbed(t, memstore.Options{Missing: true})
	if _, err := p.probe(store.ProbeOptions{}); !errors.Is(err, store.ErrNoBucket) {
		t.Error(err)
	}
}

// A list that lacks a version, or has the marker elsewhere, is a wrong history.
func TestProbeOfHistories(t *testing.T) {
	for name, spoil := range map[string]func([]store.Version) []store.Version{
		"old ones are missing": func(all []store.Version) []store.Version {
			return slices.DeleteFunc(all, func(v store.Version) bool { return !v.Latest && !v.Deleted })
		},
		"no markers": func(all []store.Version) []store.Version {
			return slices.DeleteFunc(all, func(v store.Version) bool { return v.Deleted })
		},
		"markers first": func(all []store.Version) []store.Version {
			slices.SortStableFunc(all, func(a, b store.Version) int {
				if c := strings.Compare(a.Info.Key, b.Info.Key); c != 0 {
					return c
				}
				return strings.Compare(fmt.Sprint(b.Deleted), fmt.Sprint(a.Deleted))
			})
			return all
		},
	} {
		b := memstore.New(memstore.Options{Versioned: true})
		got, err := store.New(spoiled{b, spoil}, store.Options{}).Probe(t.Context(), store.ProbeOptions{Versioned: true})
		if err != nil || got.Flaws != store.WrongHistory {
			t.Errorf("%s: found %s, %v", name, got.Flaws, err)
		}
	}
}

type spoiled struct {
	store.API
	spoil func([]store.Version) []store.Version
}

func (s spoiled) ListVersions(ctx context.Context, o store.VersionOptions) (store.VersionPage, error) {
	page, err := s.API.ListVersions(ctx, o)
	page.Versions = s.spoil(page.Versions)
	return page, err
}

// What could not be removed because the server does not answer is no reason to leave the next
// probe out.
func TestProbeThatCannotCleanUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProbed(t, memstore.Options{Versioned: true})
		p.f.On("DeleteVersion").Fail(store.Unsent, errSlow)
		began := time.Now()
		got, err := p.probe(store.ProbeOptions{Versioned: true})
		if n := len(p.left()); err != nil || got.Left != n || n == 0 || got.Kept || time.Since(began) > time.Minute {
			t.Errorf("%v after %s; says that %d are left, there are %d; kept: %v", err, time.Since(began), got.Left, n, got.Kept)
		}
	})
}

// Nor of a box in the middle that sends every ninth request twice.
func TestProbeBehindABoxThatResends(t *testing.T) {
	for seed := range uint64(30) {
		p := newProbed(t, memstore.Options{Versioned: true})
		r, mu := rand.New(rand.NewPCG(seed, 8)), sync.Mutex{}
		p.f.Hook(func(string, string, int) faultstore.Fault {
			mu.Lock()
			defer mu.Unlock()
			return faultstore.Fault{Resend: r.IntN(9) == 0}
		})
		got, err := p.probe(store.ProbeOptions{Versioned: true, Races: true})
		if err != nil || got.Flaws != 0 {
			t.Errorf("seed %d: found %s, %v, %q", seed, got.Flaws, err, got.Seen)
		}
	}
}
