package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// Two clients and a foreign writer change one object over a network that loses, delays and
// repeats. What was acknowledged happened once, to the version that its author had seen; what
// failed did not happen; and what has returned does not happen any more.
func TestRandom(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { random(t, seed, false, 0, 0) })
		})
	}
}

// The same with a foreign writer who brings ETags back: he changes metadata alone, above all
// while uploads are under way, and restores what he or others have removed or replaced. Here
// the network repeats no request that it has delivered: against that only a new ETag helps
// (LOCKS, findings 4 and 5).
func TestRandomRestores(t *testing.T) {
	covered, late := 0, 0
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := random(t, seed, true, 0, 0)
				late += s.lateLanded
				for _, a := range s.acts {
					if a.covered {
						covered++
					}
				}
			})
		})
	}
	t.Logf("%d uploads lay below another version, %d deletes landed after they were told that nothing is there", covered, late)
	if covered < 5 || late < 3 {
		t.Error("too little happened")
	}
}

// The same on servers with flaws of which the clients know.
func TestRandomWithFlaws(t *testing.T) {
	for _, flaws := range readWrite() {
		if flaws == 0 || flaws.Has(noDelete) { // against what is removed in the window only the lease helps
			continue
		}
		for seed := range uint64(6) {
			t.Run(fmt.Sprint(flaws, " ", seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { random(t, 100+seed, seed%2 == 1, flaws, flaws) })
			})
		}
	}
}

// Clients that do not know of a flaw lose updates, and that is seen.
func TestRandomFindsFlaws(t *testing.T) {
	for _, flaws := range []store.Flaws{noCopy, noComplete} {
		found := new(recorder)
		for seed := range uint64(6) {
			synctest.Test(t, func(t *testing.T) {
				found.TB = t
				random(found, 100+seed, false, flaws, 0)
			})
		}
		if found.n.Load() == 0 {
			t.Errorf("nothing was found of %s", flaws)
		}
	}
}

// A recorder counts the errors of a test that is expected to fail.
type recorder struct {
	testing.TB
	n atomic.Int64
}

func (r *recorder) Error(...any)          { r.n.Add(1) }
func (r *recorder) Errorf(string, ...any) { r.n.Add(1) }

// random is one run on a server with flaws, of which the clients know some.
func random(t testing.TB, seed uint64, restores bool, flaws, known store.Flaws) *witness {
	s := &witness{Bucket: memstore.New(memstore.Options{Versioned: true, Flaws: flaws}), t: t, rng: rand.New(rand.NewPCG(seed, 98)), restores: restores}
	var work sync.WaitGroup
	for who := range 2 {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(who)))
			f := faultstore.New(s)
			f.Hook(badNetwork(rand.New(rand.NewPCG(seed, uint64(10+who))), !restores))
			c := store.New(newMonitor(t, f), store.Options{Host: fmt.Sprint(who)})
			c.SetFlaws(known)
			for range 12 {
				change(s, c, rng)
				time.Sleep(upTo(rng, 10*time.Second))
			}
			f.Wait()
		})
	}
	work.Go(func() {
		if restores {
			s.interfere(40, 10*time.Second)
		} else {
			s.interfere(5, time.Minute)
		}
	})
	work.Wait()
	s.check()
	return s
}

// badNetwork loses, delays and repeats requests; what is late is dead within the quiet time.
func badNetwork(rng *rand.Rand, repeats bool) func(op, key string, n int) faultstore.Fault {
	var mu sync.Mutex
	return func(op, key string, n int) faultstore.Fault {
		mu.Lock()
		defer mu.Unlock()
		if op == "Delete" && rng.IntN(2) == 0 {
			return faultstore.Fault{Late: upTo(rng, quiet)}
		}
		switch rng.IntN(12) {
		case 0:
			return faultstore.Fault{LoseReply: true}
		case 1:
			return faultstore.Fault{Late: upTo(rng, quiet)}
		case 2:
			return faultstore.Fault{Hang: true, Late: upTo(rng, quiet)}
		case 3:
			return faultstore.Fault{Err: &store.AttemptError{Fate: store.Unsent, Err: errSlow}}
		case 4:
			if repeats && (op == "Put" || op == "Copy" || op == "CompleteUpload") {
				return faultstore.Fault{Duplicate: upTo(rng, quiet)}
			}
		case 5:
			if op == "Put" || op == "CompleteUpload" {
				return faultstore.Fault{Err: &store.AttemptError{Fate: store.Refused, Err: store.ErrBusy}}
			}
		case 6:
			return faultstore.Fault{Delay: upTo(rng, 5*time.Second)}
		}
		return faultstore.Fault{}
	}
}

func upTo(rng *rand.Rand, d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }

// change writes over what it has seen, content that never was there, or removes it. The same
// content has the same ETag, and against that only the lease helps.
func change(s *witness, c *store.Client, rng *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.Background(), upTo(rng, 4*time.Minute))
	defer cancel()
	seen, err := c.Head(ctx, key, "")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return
	}
	time.Sleep(upTo(rng, 5*time.Second))
	a := &act{kind: "put", id: store.NewWriteID(), base: seen.Base()}
	w := store.Write{Key: key, ID: a.id, Base: a.base}
	ctx = s.begin(ctx, a)
	text := string(w.ID)
	body := store.Body{ReaderAt: strings.NewReader(text), Size: int64(len(text))}
	var info store.Info
	switch n := rng.IntN(12); {
	case n < 4 && !a.base.Absent() && s.restores:
		a.kind, a.id = "delete", ""
		s.forestall()
		err = c.Delete(ctx, valid(), store.Deletion{Key: key, Base: a.base, Gone: func() { s.gone(a) }})
	case n == 4:
		a.kind = "copy"
		if c.Flaws().Has(noCopy) && !c.Flaws().Has(noParts|noComplete) {
			a.kind = "upload"
		}
		from := s.PutForeign("source of "+text, text)
		info, err = c.Copy(ctx, valid(), w, store.Source{Key: from.Key, Base: from.Base(), Size: from.Size})
	case n == 5, n == 6 && s.restores:
		a.kind = "upload"
		if c.Flaws().Has(noComplete) {
			a.kind = "put"
		}
		text += strings.Repeat("m", store.PartSize)
		info, err = c.Put(ctx, valid(), w, store.Body{ReaderAt: strings.NewReader(text), Size: int64(len(text))})
	default:
		info, err = c.Put(ctx, valid(), w, body)
	}
	s.end(a, info, err)
}

// check holds what the clients were told against what is there.
func (s *witness) check() {
	s.t.Helper()
	there := map[store.WriteID][]string{} // the versions of a write
	copied := map[store.WriteID]bool{}    // somebody else put the same there again
	for _, v := range s.History(key) {
		id := store.WriteID(v.Info.Props.Meta["latchfs-write-id"])
		if foreign(v) {
			copied[id] = true
			continue
		}
		there[id] = append(there[id], v.Info.VersionID)
	}
	fine := 0
	for _, a := range s.acts {
		versions := there[a.id]
		what := fmt.Sprintf("%s %s, which landed %d times and is in the history %d times, returned %v", a.kind, a.id, a.landed, len(versions), a.err)
		unsure := a.kind == "delete" || errors.Is(a.err, store.ErrUnknownOutcome) ||
			a.kind == "upload" && errors.Is(a.err, store.ErrConflict) // in the history below another version
		switch {
		case a.landed > 1 || a.landed != len(versions) && a.kind != "delete":
			s.t.Error(what)
		case a.err != nil && a.landed > 0 && !unsure:
			s.t.Error(what)
		case a.err != nil || a.kind == "delete":
		case a.landed == 0 || a.covered && !copied[a.id]:
			s.t.Errorf("%s (covered: %v)", what, a.covered)
		case s.text(a.info.VersionID) != s.text(versions[0]):
			s.t.Errorf("%s and said that it made another version", what)
		default:
			fine++
		}
	}
	if fine == 0 {
		s.t.Error("nothing was written")
	}
}
