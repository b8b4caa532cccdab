package tree

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// oneWay is the time of half a request in these tests.
const oneWay = 10 * time.Millisecond

// walking runs a test with files in one directory d/, through a tree that looks 64 names ahead.
func walking(t *testing.T, files int, test func(t *testing.T, b *bucket, tr *Tree)) {
	t.Helper()
	b := newBucket()
	for i := range files {
		b.put("d/" + file(i))
	}
	b.way = func() time.Duration { return oneWay }
	synctest.Test(t, func(t *testing.T) {
		test(t, b, New(b, Options{TTL: ttl, Ahead: 64}))
		time.Sleep(2 * ttl) // what is under way ends
	})
}

func file(i int) string { return fmt.Sprintf("f%05d", i) }

// walkFiles looks up the files from one to before another, and pauses after each.
func walkFiles(t *testing.T, tr *Tree, from, to int, pause time.Duration) {
	t.Helper()
	for i := from; i < to; i++ {
		wantLookup(t, tr, "d/", file(i), file(i)+"*")
		time.Sleep(pause)
	}
}

func wantKinds(t *testing.T, b *bucket, want map[string]int) {
	t.Helper()
	if got := b.kinds(); !maps.Equal(got, want) {
		t.Errorf("requests %v, want %v", got, want)
	}
}

func listAll(t *testing.T, tr *Tree, dir string) {
	t.Helper()
	if _, err := tr.List(t.Context(), dir); err != nil {
		t.Errorf("List %q: %v", dir, err)
	}
}

// Whoever looks up what he listed waits for one of 64 names; each costs one request.
func TestWalk(t *testing.T) {
	walking(t, 1000, func(t *testing.T, b *bucket, tr *Tree) {
		start := time.Now()
		listAll(t, tr, "d/")
		walkFiles(t, tr, 0, 1000, 0)
		if took := time.Since(start); took > 20*2*oneWay {
			t.Errorf("took %s", took)
		}
		wantKinds(t, b, map[string]int{"LIST": 1, "HEAD": 1000})
		if b.most != 65 { // one for himself
			t.Errorf("%d requests at a time", b.most)
		}
		listAll(t, tr, "d/")
		walkFiles(t, tr, 0, 1000, 0)
		wantKinds(t, b, map[string]int{})
	})
}

// Who lists and looks nothing up costs no HEADs.
func TestListingIsNoWalk(t *testing.T) {
	walking(t, 100, func(t *testing.T, b *bucket, tr *Tree) {
		for range 3 {
			listAll(t, tr, "d/")
			time.Sleep(ttl)
		}
		wantKinds(t, b, map[string]int{"LIST": 3})
	})
}

// Nothing is sent for a reader who left.
func TestWalkEndsWithItsReader(t *testing.T) {
	walking(t, 1000, func(t *testing.T, b *bucket, tr *Tree) {
		listAll(t, tr, "d/")
		walkFiles(t, tr, 0, 10, 0)
		time.Sleep(10 * ttl)
		wantKinds(t, b, map[string]int{"LIST": 1, "HEAD": 10 + 64})
	})
}

// Names here and there of a directory are no walk, and one after the other from its middle on are.
func TestWalkFromTheMiddle(t *testing.T) {
	walking(t, 1000, func(t *testing.T, b *bucket, tr *Tree) {
		listAll(t, tr, "d/")
		for _, i := range []int{500, 509, 490, 999, 300, 20} {
			walkFiles(t, tr, i, i+1, 0)
		}
		wantKinds(t, b, map[string]int{"LIST": 1, "HEAD": 6})
		walkFiles(t, tr, 600, 700, 0)
		time.Sleep(ttl)
		if got := b.kinds(); got["HEAD"] < 100+32 || got["HEAD"] > 100+64 || len(got) != 1 {
			t.Errorf("requests %v", got)
		}
	})
}

// A walk may skip names, and take longer than the TTL: parts of the directory are listed again in
// time, and no name needs a LIST of its own.
func TestLongWalk(t *testing.T) {
	walking(t, 5000, func(t *testing.T, b *bucket, tr *Tree) {
		listAll(t, tr, "d/")
		for i := range 5000 {
			if i%5 != 0 {
				walkFiles(t, tr, i, i+1, 0)
			}
		}
		got := b.kinds()
		if got["HEAD"] > 5000 || got["FIRST"] > 0 || got["LIST"] != 5 || got["PAGE"] > 7 || got["PAGE"] < 2 {
			t.Errorf("requests %v", got)
		}
	})
}

// Who asks only for those whose type a listing does not tell gets those ahead, and who asks for
// all gets all, also after the other.
func TestWalkOverPlainFiles(t *testing.T) {
	walking(t, 1000, func(t *testing.T, b *bucket, _ *Tree) {
		small := func(i int) bool { return i%10 == 3 }
		for i := range 1000 {
			o := b.objects["d/"+file(i)]
			if o.Size = 1000; small(i) {
				o.Size = 10
			}
			b.objects["d/"+file(i)] = o
		}
		tr := New(b, Options{TTL: ttl, Ahead: 64, MaxTarget: 100})
		start := time.Now()
		listAll(t, tr, "d/")
		for i := range 1000 {
			if small(i) {
				walkFiles(t, tr, i, i+1, 0)
			}
		}
		if took := time.Since(start); took > 6*2*oneWay {
			t.Errorf("took %s", took)
		}
		wantKinds(t, b, map[string]int{"LIST": 1, "HEAD": 100})
		walkFiles(t, tr, 0, 1000, 0)
		if took := time.Since(start); took > 30*2*oneWay {
			t.Errorf("all took %s", took)
		}
		wantKinds(t, b, map[string]int{"HEAD": 900})
	})
}

// Whoever is slow gets no more looked up ahead than he needs before it is too old: nothing is
// asked twice.
func TestSlowWalk(t *testing.T) {
	for _, pause := range []time.Duration{20 * time.Millisecond, 60 * time.Millisecond, 300 * time.Millisecond} {
		walking(t, 200, func(t *testing.T, b *bucket, tr *Tree) {
			start := time.Now()
			listAll(t, tr, "d/")
			walkFiles(t, tr, 0, 200, pause)
			took := time.Since(start)
			got := b.kinds()
			// The first window is as large as for a fast one.
			if most := 200 + 64; got["HEAD"] > most || got["FIRST"] > 0 || got["PAGE"] > 2+int(took/(ttl/2)) {
				t.Errorf("pause %s: requests %v in %s", pause, got, took)
			}
			if waited := took - 200*pause; waited > time.Second {
				t.Errorf("pause %s: waited %s", pause, waited)
			}
		})
	}
}

// So does whoever is slow in one directory after the other, but for the first.
func TestSlowWalkOfATree(t *testing.T) {
	b := newBucket()
	for d := range 10 {
		for i := range 100 {
			b.put(fmt.Sprintf("d%02d/%s", d, file(i)))
		}
	}
	b.way = func() time.Duration { return oneWay }
	synctest.Test(t, func(t *testing.T) {
		tr := New(b, Options{TTL: ttl, Ahead: 64})
		for d := range 10 {
			dir := fmt.Sprintf("d%02d/", d)
			listAll(t, tr, dir)
			for i := range 100 {
				wantLookup(t, tr, dir, file(i), file(i)+"*")
				time.Sleep(60 * time.Millisecond)
			}
		}
		if got := b.kinds(); got["HEAD"] > 1000+64 || got["FIRST"] > 0 {
			t.Errorf("requests %v", got)
		}
	})
}

// Where nothing may be believed nothing is looked up ahead.
func TestNoTTLNoWalk(t *testing.T) {
	walking(t, 10, func(t *testing.T, b *bucket, _ *Tree) {
		tr := New(b, Options{Ahead: 64})
		listAll(t, tr, "d/")
		walkFiles(t, tr, 0, 10, 0)
		wantKinds(t, b, map[string]int{"LIST": 1, "HEAD": 10, "FIRST": 10})
	})
}

// However many directories are read at once, 64 requests at a time are ahead of their readers.
func TestManyWalks(t *testing.T) {
	b := newBucket()
	for d := range 100 {
		for i := range 50 {
			b.put(fmt.Sprintf("d%02d/%s", d, file(i)))
		}
	}
	b.way = func() time.Duration { return oneWay }
	synctest.Test(t, func(t *testing.T) {
		tr := New(b, Options{TTL: ttl, Ahead: 64})
		var wg sync.WaitGroup
		for d := range 100 {
			wg.Go(func() {
				dir := fmt.Sprintf("d%02d/", d)
				listAll(t, tr, dir)
				for i := range 50 {
					wantLookup(t, tr, dir, file(i), file(i)+"*")
				}
			})
		}
		wg.Wait()
		if b.most < 100 || b.most > 164 {
			t.Errorf("%d requests at a time", b.most)
		}
		got := b.kinds()
		if delete(got, "PAGE"); !maps.Equal(got, map[string]int{"LIST": 100, "HEAD": 5000}) {
			t.Errorf("requests %v", got)
		}
	})
}

// In front of one who goes from directory to directory the names of their directory are looked
// up at his pace there, not at that inside of them.
func TestWalkOfATree(t *testing.T) {
	b := newBucket()
	for d := range 100 {
		for i := range 100 {
			b.put(fmt.Sprintf("d%02d/%s", d, file(i)))
		}
	}
	b.way = func() time.Duration { return oneWay }
	synctest.Test(t, func(t *testing.T) {
		tr := New(b, Options{TTL: ttl, Ahead: 64})
		start := time.Now()
		listAll(t, tr, "")
		for d := range 100 {
			name := fmt.Sprintf("d%02d", d)
			wantLookup(t, tr, "", name, name+"/*")
			listAll(t, tr, name+"/")
			for i := range 100 {
				wantLookup(t, tr, name+"/", file(i), file(i)+"*")
			}
		}
		if took := time.Since(start); took > 100*3*2*oneWay+ttl {
			t.Errorf("took %s", took)
		}
		got := b.kinds()
		// Each directory is listed by its look-up. Some are too old when he comes, or before he leaves.
		if got["HEAD"] < 10_000 || got["HEAD"] > 10_100 || got["LIST"] > 10 || got["FIRST"]+got["LIST"]+got["PAGE"] > 2*101 {
			t.Errorf("requests %v", got)
		}
	})
}

// A bucket that answers with errors gets fewer requests at a time, and more again when it is well.
func TestWalkOfASickBucket(t *testing.T) {
	walking(t, 1000, func(t *testing.T, b *bucket, tr *Tree) {
		slow := errors.New("slow down")
		for i := range 500 {
			b.fail["HEAD d/"+file(i)] = slow
		}
		listAll(t, tr, "d/")
		for i := range 500 {
			if _, err := tr.Lookup(t.Context(), "d/", file(i)); !errors.Is(err, slow) {
				t.Errorf("%s: %v", file(i), err)
			}
		}
		// Each name was asked for by its reader, and before that by the few that went ahead.
		if got := b.kinds(); got["HEAD"] > 1000+64 || b.most > 65 {
			t.Errorf("requests %v, %d at a time", got, b.most)
		}
		b.begun(0)
		b.most = 0
		listAll(t, tr, "d/")
		walkFiles(t, tr, 500, 1000, 0)
		if b.most < 60 {
			t.Errorf("%d at a time when it is well", b.most)
		}
	})
}

// A bucket that answers later than answers may be old is asked twice by few.
func TestWalkWithAShortTTL(t *testing.T) {
	walking(t, 1000, func(t *testing.T, b *bucket, _ *Tree) {
		tr := New(b, Options{TTL: oneWay, Ahead: 64})
		listAll(t, tr, "d/")
		walkFiles(t, tr, 0, 100, 0)
		if got := b.kinds(); got["HEAD"] > 100+64 {
			t.Errorf("requests %v", got)
		}
	})
}
