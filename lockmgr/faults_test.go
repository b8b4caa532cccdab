package lockmgr_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
)

// A network decides at random what happens to the requests of one host, in spells: good,
// bad, and cut off.
type network struct {
	mu    sync.Mutex
	rng   *rand.Rand
	start time.Time
	until time.Duration
	spell int
}

const (
	good = iota
	bad
	cut
)

func (n *network) fault(string) memtable.Fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	chance := func(percent int) bool { return n.rng.IntN(100) < percent }
	upTo := func(d time.Duration) time.Duration { return time.Duration(n.rng.Int64N(int64(d))) }
	if now := time.Since(n.start); now >= n.until {
		n.spell = []int{good, good, bad, bad, cut}[n.rng.IntN(5)]
		n.until = now + upTo(90*time.Second)
	}
	f := memtable.Fault{Delay: time.Millisecond + upTo(20*time.Millisecond)}
	switch n.spell {
	case cut:
		f.Drop = true
	case bad:
		f.Drop = chance(10)
		f.LoseReply = chance(15)
		if chance(15) {
			f.Delay = upTo(20 * time.Second) // lands when nobody waits for it any more
		}
		if chance(20) {
			f.Duplicate = upTo(25 * time.Second)
		}
	}
	return f
}

// A claim is one lease as the test saw it.
type claim struct {
	id            int
	host          int
	key           string
	l             *lockmgr.Lease
	asked, got    time.Duration // Acquire was called, returned
	valid         time.Duration // when Check last said so
	uses          []time.Duration
	released      bool
	releaseCalled time.Duration
}

// A history records all claims and checks each new one against the others.
type history struct {
	t      *testing.T
	seed   uint64
	start  time.Time
	mu     sync.Mutex
	claims []*claim
}

func (h *history) now() time.Duration { return time.Since(h.start) }

// granted adds a claim. Nobody else's claim of the key may be valid, and one that was not
// released must have been invalid for the delay at least: its last requests have died out.
func (h *history) granted(c *claim) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.got = h.now()
	for _, o := range h.claims {
		if o.key != c.key || o.released || o.host == c.host {
			continue
		}
		if err := o.l.Check(); err == nil {
			h.t.Errorf("seed %d: at %s host %d got %q while host %d has it", h.seed, c.got, c.host, c.key, o.host)
		}
		if quiet := c.got - o.valid; quiet < times.Delay {
			h.t.Errorf("seed %d: at %s host %d got %q only %s after host %d could use it", h.seed, c.got, c.host, c.key, quiet, o.host)
		}
	}
	c.id, c.valid = len(h.claims)+1, c.got
	h.claims = append(h.claims, c)
}

// use asks the lease whether a request may start now.
func (h *history) use(c *claim) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.l.Check() == nil {
		c.valid = h.now()
		c.uses = append(c.uses, c.valid)
	}
}

func (h *history) release(c *claim) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.released, c.releaseCalled = true, h.now()
	c.l.Release()
}

// op is an operation of the lock's model: obtain, use or end of a claim.
type op struct {
	key  string
	kind string
	id   int
}

// lockModel is a mutex whose holder may end at any time after it was last valid: released,
// or its session died. Every claim ends at most once, so the ends need no result.
var lockModel = porcupine.Model{
	Partition: func(ops []porcupine.Operation) [][]porcupine.Operation {
		byKey := make(map[string][]porcupine.Operation)
		for _, o := range ops {
			key := o.Input.(op).key
			byKey[key] = append(byKey[key], o)
		}
		var parts [][]porcupine.Operation
		for _, p := range byKey {
			parts = append(parts, p)
		}
		return parts
	},
	Init: func() any { return 0 },
	Step: func(state, input, _ any) (bool, any) {
		o := input.(op)
		switch o.kind {
		case "obtain":
			return state == 0, o.id
		case "use":
			return state == o.id, state
		default:
			return state == o.id, 0
		}
	},
}

func (h *history) operations() (ops []porcupine.Operation) {
	add := func(c *claim, kind string, call, ret int64) {
		ops = append(ops, porcupine.Operation{ClientId: c.id, Input: op{c.key, kind, c.id}, Call: call, Return: ret})
	}
	for _, c := range h.claims {
		add(c, "obtain", int64(c.asked), int64(c.got))
		for _, at := range c.uses {
			add(c, "use", int64(at), int64(at))
		}
		add(c, "end", int64(c.valid), math.MaxInt64)
	}
	return ops
}

// TestRandomFaults runs three hosts over a table whose network delays, drops and repeats
// requests and cuts hosts off, for hours of virtual time. Valid leases exclude each other, nobody
// gets a key before the delay is over, the history of each key is that of a lock with
// session death, and when the network heals nothing stays behind.
func TestRandomFaults(t *testing.T) {
	for seed := range uint64(15) {
		synctest.Test(t, func(t *testing.T) { randomFaults(t, seed) })
		if t.Failed() {
			return
		}
	}
}

func randomFaults(t *testing.T, seed uint64) {
	r := newRig(t)
	h := &history{t: t, seed: seed, start: r.start}
	keys := []string{"x", "y", "dir/z"}
	const length = 40 * time.Minute
	var hosts []*host
	var work sync.WaitGroup
	for i := range 3 {
		ht := r.host(fmt.Sprint("h", i))
		net := &network{rng: rand.New(rand.NewPCG(seed, uint64(i))), start: r.start}
		ht.table.SetFaults(net.fault)
		hosts = append(hosts, ht)
		for w := range 2 {
			rng := rand.New(rand.NewPCG(seed, uint64(100+10*i+w)))
			work.Go(func() {
				for h.now() < length {
					worker(t, h, ht, i, keys[rng.IntN(len(keys))], rng)
				}
			})
		}
	}
	work.Wait()
	for _, ht := range hosts {
		ht.table.SetFaults(nil)
	}
	// What was lost is still free for the next in time, though nobody was told of it.
	for _, key := range keys {
		r.acquire(hosts[0], key, 2*(times.Lease+times.Delay)).Release()
	}
	r.close(hosts...)
	time.Sleep(time.Minute) // the last duplicates
	final := r.host("final")
	for _, key := range keys {
		r.acquire(final, key, times.Lease+times.Delay+time.Minute).Release()
	}
	r.close(final)
	if len(h.claims) < 100 {
		t.Errorf("seed %d: only %d leases were obtained", seed, len(h.claims))
	}
	if !porcupine.CheckOperations(lockModel, h.operations()) {
		t.Errorf("seed %d: the history is not that of a lock", seed)
	}
}

// worker makes one acquisition and uses the lease for a while.
func worker(t *testing.T, h *history, ht *host, i int, key string, rng *rand.Rand) {
	ctx := t.Context()
	if rng.IntN(4) == 0 { // interrupted
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.Int64N(int64(5*time.Second))))
		defer cancel()
	}
	c := &claim{host: i, key: key, asked: h.now()}
	l, err := ht.Acquire(ctx, key, time.Duration(rng.IntN(4))*time.Minute/2)
	if err != nil {
		time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Second))))
		return
	}
	c.l = l
	h.granted(c)
	end := h.now() + time.Duration(rng.Int64N(int64(40*time.Second)))
	for h.now() < end {
		h.use(c)
		select {
		case <-time.After(200 * time.Millisecond):
		case <-l.Lost():
			end = 0
		case <-l.Wanted():
			end = min(end, h.now()+time.Second)
			time.Sleep(100 * time.Millisecond)
		}
	}
	h.release(c)
	time.Sleep(time.Duration(rng.Int64N(int64(20 * time.Millisecond))))
}
