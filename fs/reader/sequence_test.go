package reader

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

func TestSequentialReadFetchesEachByteOnceInLargeParts(t *testing.T) {
	for _, size := range []int64{16 * kib, 128 * kib, 8 * mib} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(96*mib + 12345)
			s.latency = 20 * time.Millisecond
			r := New(s, 96*mib)
			p := r.Pin(s.info)
			for off := int64(0); off < s.info.Size; off += size {
				read(t, p, off, size)
				if r.Used() > maxAhead+near {
					t.Fatalf("%d bytes in memory", r.Used())
				}
			}
			if n := s.once(t); n != s.info.Size || s.sent != n {
				t.Errorf("%d bytes asked for, %d sent, of %d", n, s.sent, s.info.Size)
			}
			if n := len(s.answers()); n > 96/8+20 {
				t.Errorf("reads of %d: %d requests", size, n)
			}
			p.Close()
			synctest.Wait()
			s.done(t, r)
		})
	}
}

// A program that reads as fast as it gets bytes keeps several requests under way.
func TestSequentialReadHidesLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(128 * mib)
		s.latency = 100 * time.Millisecond
		r := New(s, 96*mib)
		p := r.Pin(s.info)
		began := time.Now()
		for off := int64(0); off < s.info.Size; off += 128 * kib {
			read(t, p, off, 128*kib)
		}
		// 16 parts one after the other would take 1.6 s, and it begins with small ones.
		if took := time.Since(began); took > 1400*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		p.Close()
	})
}

func TestFirstReadIsExact(t *testing.T) {
	s := newServer(64 * mib)
	r := New(s, 96*mib)
	p := r.Pin(s.info)
	read(t, p, 1000, 5000)
	if n := s.once(t); n != 5000 || r.Used() != 0 {
		t.Errorf("%d bytes fetched, %d in memory", n, r.Used())
	}
	read(t, p, 1000, 5000) // the same again is no sequence
	if s.sent != 2*5000 || len(s.answers()) != 2 || r.Used() != 0 {
		t.Errorf("%d bytes fetched, %d in memory", s.sent, r.Used())
	}
}

// Whoever stops after a while has not made us fetch a multiple of what he wanted without
// bound.
func TestReadAheadIsInProportion(t *testing.T) {
	for _, size := range []int64{4 * kib, 128 * kib, 1 * mib} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(1 << 30)
			p := New(s, 96*mib).Pin(s.info)
			for off := int64(0); off < 256*size; off += size {
				read(t, p, off, size)
				synctest.Wait()
				if s.sent > 7*(off+size) {
					t.Fatalf("%d KiB fetched for %d KiB by reads of %d", s.sent/kib, (off+size)/kib, size)
				}
			}
			p.Close()
		})
	}
}

// A thread that waits for a slow answer still gets it after others have gone on far.
func TestSlowPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(256 * mib)
		s.slow = func(r store.Range) time.Duration {
			if r.Offset == 2*mib {
				return time.Hour
			}
			return time.Millisecond
		}
		r := New(s, 96*mib)
		p := r.Pin(s.info)
		read(t, p, 0, 1*mib)
		read(t, p, 1*mib, 1*mib)
		synctest.Wait()
		part := s.answers()[2]
		if part.off != 2*mib {
			t.Errorf("%v was read ahead", part)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := tryRead(t.Context(), p, part.off, part.end-part.off); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		for off := part.end; off < 100*mib; off += 1 * mib {
			read(t, p, off, 1*mib)
			r.mu.Lock()
			if p.parts > maxParts {
				t.Errorf("%d requests at once", p.parts)
			}
			r.mu.Unlock()
		}
		wg.Wait()
		s.once(t)
		p.Close()
		synctest.Wait()
		s.done(t, r)
	})
}

func TestRandomReadsFetchWhatTheyNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1 << 40)
		r := New(s, 96*mib)
		p := r.Pin(s.info)
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 2000 {
			read(t, p, rnd.Int64N(s.info.Size/(16*kib))*16*kib, 16*kib)
		}
		if s.sent != 2000*16*kib || r.Used() != 0 {
			t.Errorf("%d bytes for %d", s.sent, 2000*16*kib)
		}
		if len(p.asked) > maxSpans {
			t.Errorf("%d spans", len(p.asked))
		}
	})
}

// A file that is not much larger than the reach of a sequence is read at random.
func TestRandomReadsOfSmallFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(12 * mib)
		p := New(s, 96*mib).Pin(s.info)
		read(t, p, 0, 4*kib)
		read(t, p, 4*kib, 4*kib)
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 100 {
			read(t, p, rnd.Int64N(s.info.Size/(4*kib))*4*kib, 4*kib)
		}
		synctest.Wait()
		if s.sent > 2*102*4*kib {
			t.Errorf("%d KiB for %d", s.sent/kib, 102*4)
		}
		p.Close()
	})
}

// Reads that skip little are a sequence.
func TestReadsThatSkipLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(96 * mib)
		r := New(s, 96*mib)
		p := r.Pin(s.info)
		read(t, p, 0, 128*kib)
		for off := int64(128 * kib); off < s.info.Size; off += 128 * kib {
			read(t, p, off, 112*kib)
		}
		s.once(t)
		if n := len(s.answers()); n > 96/8+20 {
			t.Errorf("%d requests", n)
		}
		p.Close()
		synctest.Wait()
		s.done(t, r)
	})
}

// Reads that skip most of the file stop the read-ahead of the sequence they began as.
func TestSkippingReadsGiveUpReadAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(4 << 30)
		r := New(s, 96*mib)
		p := r.Pin(s.info)
		for off := int64(0); off < 32*mib; off += 128 * kib {
			read(t, p, off, 128*kib)
		}
		asked := int64(32 * mib)
		for off := int64(32 * mib); off < s.info.Size; off += 2 * mib {
			read(t, p, off, 128*kib)
			asked += 128 * kib
		}
		synctest.Wait()
		if s.sent > asked+2*maxAhead+near || r.Used() != 0 {
			t.Errorf("%d MiB for %d MiB, %d bytes in memory", s.sent/mib, asked/mib, r.Used())
		}
	})
}

func TestFarReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1 << 30)
		r := New(s, 96*mib)
		p := r.Pin(s.info)
		off := int64(800 * mib)
		sequential := func(n int64) {
			for end := off + n; off < end; off += 128 * kib {
				read(t, p, off, 128*kib)
			}
		}
		sequential(16 * mib)
		synctest.Wait()
		sent := s.sent
		// An index far away is looked up in between: what was read ahead stays.
		for i := range int64(maxStrays) {
			read(t, p, 900*mib+i*10*mib, 4*kib)
		}
		if s.sent-sent != maxStrays*4*kib {
			t.Errorf("%d bytes for far reads", s.sent-sent)
		}
		sequential(4 * mib)
		for i := range int64(maxStrays) {
			read(t, p, 100*mib+i*10*mib, 4*kib)
		}
		sequential(4 * mib)
		s.once(t)
		// The program goes elsewhere: what was read ahead goes back, and the new place
		// becomes a sequence.
		for i := range int64(maxStrays + 1) {
			read(t, p, 500*mib+i*20*mib, 4*kib)
		}
		synctest.Wait()
		if r.Used() != 0 {
			t.Errorf("%d bytes in memory", r.Used())
		}
		off = 700 * mib
		n := len(s.answers())
		sequential(64 * mib)
		if n := len(s.answers()) - n; n > 25 {
			t.Errorf("%d requests for the new sequence", n)
		}
		read(t, p, 100*mib, 4*kib)
		if r.Used() == 0 {
			t.Error("one far read ended the new sequence")
		}
		p.Close()
		synctest.Wait()
		s.done(t, r)
	})
}

// A second pass over the same bytes is a sequence again.
func TestReadingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(6 * mib)
		r := New(s, 96*mib)
		p := r.Pin(s.info)
		for range 3 {
			n := len(s.answers())
			for off := int64(0); off < s.info.Size; off += 64 * kib {
				read(t, p, off, 64*kib)
			}
			if n := len(s.answers()) - n; n > 20 {
				t.Errorf("%d requests", n)
			}
		}
		p.Close()
		synctest.Wait()
		s.done(t, r)
	})
}

// The kernel keeps up to 64 reads under way, which several threads bring in any order.
func TestConcurrentReadsInAnyOrder(t *testing.T) {
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			s := newServer(64*mib + 777)
			s.latency = 30 * time.Millisecond
			r := New(s, 96*mib)
			p := r.Pin(s.info)
			size := int64(128 * kib << rnd.IntN(4))
			// As with a read_ahead_kb of 4096: the next window is read before the last one is there.
			last, this := new(sync.WaitGroup), new(sync.WaitGroup)
			for window := int64(0); window < s.info.Size; window += 4 * mib {
				order := rnd.Perm(int(4 * mib / size))
				last.Wait()
				last, this = this, new(sync.WaitGroup)
				for _, i := range order {
					if off := window + int64(i)*size; off < s.info.Size {
						this.Go(func() {
							if err := tryRead(t.Context(), p, off, size); err != nil {
								t.Error(err)
							}
						})
					}
				}
			}
			last.Wait()
			this.Wait()
			if n := s.once(t); n != s.info.Size {
				t.Errorf("%d of %d bytes", n, s.info.Size)
			}
			direct := slices.IndexFunc(s.answers(), func(g span) bool { return g.off > 32*mib })
			if n := len(s.answers()) - direct; n > 32/8+4 {
				t.Errorf("seed %d: %d requests for the last 32 MiB, reads of %d KiB", seed, n, size/kib)
			}
			p.Close()
			synctest.Wait()
			s.done(t, r)
		})
	}
}
