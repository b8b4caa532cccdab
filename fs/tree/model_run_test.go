package tree

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// We and others change the same few names, while they are looked up and listed; requests
// take their time, and so do the answers to our own.
func TestAgainstModel(t *testing.T) {
	pages, moved, stayed := 0, 0, 0
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			b, times := runModel(t, seed)
			pages += strings.Count(b.asked(), "PAGE")
			moved, stayed = moved+times.moved, stayed+times.stayed
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if pages < 100 {
		t.Errorf("parts of directories were listed %d times", pages)
	}
	if moved < 10 || stayed < 100 {
		t.Errorf("the times of directories had to move %d times, and to stay %d times", moved, stayed)
	}
}

func runModel(t *testing.T, seed uint64) (*bucket, modelTimes) {
	b := newBucket()
	b.page = 1 + int(seed%4)
	m := &model{
		b: b, history: make(map[string][]moment), since: make(map[string]time.Time),
		touched: make(map[string]bool), emptied: make(map[string]bool), looks: make(map[string][]period),
		times: newModelTimes(),
	}
	tr := New(b, Options{TTL: ttl, Ahead: int(seed % 5)})
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 5))
	random := func(limit time.Duration) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return 1 + time.Duration(r.Int64N(int64(limit)))
	}
	intN := func(n int) int { return int(random(time.Duration(n))) - 1 }
	b.way = func() time.Duration { return random(150 * time.Millisecond) }
	m.look()
	var wg sync.WaitGroup
	end := time.Now().Add(30 * time.Second)
	loop := func(pause time.Duration, do func()) {
		wg.Go(func() {
			for !t.Failed() && time.Now().Before(end) {
				time.Sleep(random(pause))
				do()
			}
		})
	}
	loop(time.Second, func() { // others
		key := worldKeys[intN(len(worldKeys))]
		m.at(func() {
			if intN(2) == 0 {
				b.put(key)
			} else {
				b.del(key)
			}
		})
	})
	loop(time.Second, func() { // we
		key := worldKeys[intN(len(worldKeys))]
		etag, refused := "", false
		m.at(func() {
			switch {
			case intN(2) == 0:
				etag = b.put(key).ETag
			case slices.ContainsFunc(b.keys(), func(k string) bool { return strings.HasSuffix(key, "/") && k != key && strings.HasPrefix(k, key) }):
				refused = true // a directory with something in it cannot be removed
			default:
				b.del(key)
			}
		})
		if !refused {
			time.Sleep(random(100 * time.Millisecond))
			m.note(tr, key, etag)
		}
	})
	loop(3*time.Second, func() {
		key := worldKeys[intN(len(worldKeys))]
		m.mu.Lock()
		defer m.mu.Unlock()
		tr.Forget(key)
		m.forgot(key)
		name := strings.TrimSuffix(key, "/")
		for _, part := range []string{name, name + "/", name + "/?"} {
			m.since[part] = time.Now()
		}
	})
	dirs := []string{"", "a/", "d/", "d/e/"}
	list := func(dir string) {
		start := time.Now()
		w := m.list(tr, dir)
		if w == "" {
			w = m.sight(tr, dir, start)
		}
		if w != "" {
			t.Errorf("%s: List %q: %s", time.Now().Format("05.000"), dir, w)
		}
	}
	for range 3 {
		loop(200*time.Millisecond, func() {
			dir := dirs[intN(len(dirs))]
			name := world[dir][intN(len(world[dir]))]
			if w := m.lookup(tr, dir, name); w != "" {
				t.Errorf("%s: Lookup %q: %s", time.Now().Format("05.000"), dir+name, w)
			}
		})
	}
	loop(400*time.Millisecond, func() {
		dir := dirs[intN(len(dirs))]
		list(dir)
	})
	for range 2 { // readers who go through a directory
		loop(time.Second, func() {
			dir := dirs[intN(len(dirs))]
			list(dir)
			for _, name := range world[dir] {
				time.Sleep(random(ttl / 2))
				if w := m.lookup(tr, dir, name); w != "" {
					t.Errorf("%s: Lookup %q: %s", time.Now().Format("05.000"), dir+name, w)
				}
			}
		})
	}
	wg.Wait()
	time.Sleep(ttl) // what is under way ahead of those who looked up
	synctest.Wait()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if len(tr.lookups)+len(tr.lists)+len(tr.recorders)+len(tr.ahead.paging)+tr.ahead.under > 0 {
		t.Errorf("left: %v, %v, %v, %+v", tr.lookups, tr.lists, tr.recorders, tr.ahead)
	}
	return b, m.times
}
