package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// Two clients and a foreign writer change one object over a network that loses, delays and
// repeats. Every write that was acknowledged is in the history once, right after the version
// that it says it replaced; none that failed is; none that is there was overwritten by one
// whose author had not seen it.
func TestRandom(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { random(t, seed) })
		})
	}
}

type result struct {
	id     store.WriteID
	upload bool
	err    error
}

func random(t *testing.T, seed uint64) {
	b := memstore.New(memstore.Options{Versioned: true})
	var mu sync.Mutex
	var results []result
	var work sync.WaitGroup
	for who := range 2 {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(who)))
			f := faultstore.New(b)
			f.Hook(badNetwork(rand.New(rand.NewPCG(seed, uint64(10+who)))))
			c := store.New(newMonitor(t, f), store.Options{Host: fmt.Sprint(who)})
			for range 12 {
				r := change(b, c, rng)
				mu.Lock()
				results = append(results, r)
				mu.Unlock()
				time.Sleep(upTo(rng, 10*time.Second))
			}
			f.Wait()
		})
	}
	work.Go(func() {
		rng := rand.New(rand.NewPCG(seed, 99))
		for i := range 5 {
			time.Sleep(upTo(rng, time.Minute))
			b.PutForeign(key, fmt.Sprintf("foreign %d", i))
		}
	})
	work.Wait()
	checkLineage(t, b, results)
}

// badNetwork loses, delays and repeats requests; what is late is dead within the quiet time.
func badNetwork(rng *rand.Rand) func(op, key string, n int) faultstore.Fault {
	var mu sync.Mutex
	return func(op, key string, n int) faultstore.Fault {
		mu.Lock()
		defer mu.Unlock()
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
			if op == "Put" || op == "Copy" || op == "CompleteUpload" {
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

// change writes over what it has seen, content that never was there: the same content has
// the same ETag, and against that only the lease helps (LOCKS, findings 4 and 5).
func change(b *memstore.Bucket, c *store.Client, rng *rand.Rand) result {
	ctx, cancel := context.WithTimeout(context.Background(), upTo(rng, 4*time.Minute))
	defer cancel()
	seen, err := c.Head(ctx, key, "")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return result{err: err}
	}
	time.Sleep(upTo(rng, 5*time.Second))
	w := store.Write{Key: key, ID: store.NewWriteID(), Base: seen.Base()}
	r := result{id: w.ID}
	switch text := string(w.ID); rng.IntN(8) {
	case 0:
		from := b.PutForeign("source of "+text, text)
		_, r.err = c.Copy(ctx, valid(), w, store.Source{Key: from.Key, Base: from.Base(), Size: from.Size})
	case 1:
		r.upload = true
		body := strings.NewReader(text + strings.Repeat("m", store.PartSize))
		_, r.err = c.Put(ctx, valid(), w, store.Body{ReaderAt: body, Size: body.Size()})
	default:
		body := strings.NewReader(text)
		_, r.err = c.Put(ctx, valid(), w, store.Body{ReaderAt: body, Size: body.Size()})
	}
	return r
}

func checkLineage(t *testing.T, b *memstore.Bucket, results []result) {
	t.Helper()
	at := map[string]int{}
	history := b.History(key)
	for i, v := range history {
		meta := v.Info.Props.Meta
		id := meta["latchfs-write-id"]
		if id == "" {
			continue
		}
		if _, ok := at[id]; ok {
			t.Errorf("write %s is there twice", id)
		}
		at[id] = i
		before := store.Base{}
		name := "-"
		if i > 0 {
			before = history[i-1].Info.Base()
			name = before.VersionID
		}
		if meta["latchfs-base"] != name {
			t.Errorf("write %s replaced %s and says %s", id, name, meta["latchfs-base"])
		}
	}
	fine := 0
	for _, r := range results {
		_, there := at[string(r.id)]
		switch {
		case r.id == "":
		case r.err == nil && !there:
			t.Errorf("write %s was acknowledged and is not there", r.id)
		case r.upload && errors.Is(r.err, store.ErrConflict): // perhaps another version lay over it
		case r.err != nil && there && !errors.Is(r.err, store.ErrUnknownOutcome):
			t.Errorf("write %s is there and failed with %v", r.id, r.err)
		case r.err == nil:
			fine++
		}
	}
	if fine == 0 {
		t.Error("nothing was written")
	}
}
