package reader

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

// Many files share budgets from nothing to plenty; the server counts what is in use.
func TestBudget(t *testing.T) {
	for _, budget := range []int64{0, blockSize - 1, blockSize, 1 * mib, 10 * mib} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(10 * mib)
			s.latency = 10 * time.Millisecond
			r := New(s, budget)
			over := make(chan int64, 1)
			s.broken = func(int, store.Range) (int64, error) {
				if u := r.Used(); u > budget {
					select {
					case over <- u:
					default:
					}
				}
				return -1, nil
			}
			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() {
					p := r.Pin(s.info)
					defer p.Close()
					for off := int64(0); off < s.info.Size; off += 512 * kib {
						if err := tryRead(t.Context(), p, off, 512*kib); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			select {
			case u := <-over:
				t.Errorf("%d of %d bytes used", u, budget)
			default:
			}
			if s.sent != 5*s.info.Size {
				t.Errorf("%d bytes for %d", s.sent, 5*s.info.Size)
			}
			synctest.Wait()
			s.done(t, r)
		})
	}
}

// The smallest budget is of use.
func TestOneBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(4 * mib)
		r := New(s, blockSize)
		p := r.Pin(s.info)
		for off := int64(0); off < s.info.Size; off += 32 * kib {
			read(t, p, off, 32*kib)
		}
		if n := len(s.answers()); n > 4*mib/blockSize*2 {
			t.Errorf("%d requests", n)
		}
		p.Close()
		synctest.Wait()
		s.done(t, r)
	})
}

// Files that are read at the same time end with equal shares, and leave one for the next.
func TestShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1 << 40)
		s.latency = time.Millisecond
		r := New(s, 32*mib)
		var files []*Pinned
		at := int64(0)
		for range 3 {
			files = append(files, r.Pin(s.info))
			begin := at
			for at < begin+64*mib {
				for _, p := range files {
					read(t, p, at, 128*kib)
				}
				at += 128 * kib
			}
			share := r.max / (len(files) + 1)
			for i, p := range files {
				if n := len(p.blocks); n < share/2 || n > share*3/2 {
					t.Errorf("file %d of %d: %d blocks of %d", i, len(files), n, r.max)
				}
			}
		}
		for _, p := range files {
			p.Close()
		}
		synctest.Wait()
		s.done(t, r)
	})
}

// A file that rests gives its memory to one that is read, and goes on later.
func TestRestingFileGivesMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(1 << 30)
		r := New(s, 16*mib)
		begin := func() *Pinned {
			p := r.Pin(s.info)
			for off := int64(0); off < 8*mib; off += 128 * kib {
				read(t, p, off, 128*kib)
			}
			synctest.Wait()
			return p
		}
		a, b := begin(), begin()
		if len(a.blocks) == 0 {
			t.Fatal("nothing was read ahead")
		}
		read(t, b, 8*mib, 128*kib)
		if len(a.blocks) == 0 {
			t.Error("a file that was just read lost its memory")
		}
		time.Sleep(idle)
		for off := int64(8*mib + 128*kib); off < 12*mib; off += 128 * kib {
			read(t, b, off, 128*kib)
		}
		if len(a.blocks) != 0 {
			t.Errorf("a file that rests keeps %d blocks", len(a.blocks))
		}
		b.Close()
		n := len(s.answers())
		for off := int64(8 * mib); off < 40*mib; off += 128 * kib {
			read(t, a, off, 128*kib)
		}
		if n := len(s.answers()) - n; n > 40 {
			t.Errorf("%d requests for the second half", n)
		}
		a.Close()
		synctest.Wait()
		s.done(t, r)
	})
}

type servers map[string]*server

func (s servers) Get(ctx context.Context, key string, o store.GetOptions) (*store.Object, error) {
	return s[key].Get(ctx, key, o)
}

// A file whose reader waits for a slow server does not rest.
func TestWaitingFileKeepsMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newServer(1<<30), newServer(1<<30)
		a.slow = func(r store.Range) time.Duration { return time.Duration(r.Offset/(2*mib)) * time.Hour }
		b.info.Key = "b"
		r := New(servers{"k": a, "b": b}, 4*mib)
		p := r.Pin(a.info)
		read(t, p, 0, 1*mib)
		read(t, p, 1*mib, 1*mib)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := tryRead(t.Context(), p, 2*mib, 512*kib); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(2 * idle)
		q := r.Pin(b.info)
		for off := int64(0); off < 16*mib; off += 128 * kib {
			read(t, q, off, 128*kib)
		}
		wg.Wait()
		a.once(t)
		p.Close()
		q.Close()
		synctest.Wait()
		a.done(t, r)
		b.done(t, r)
	})
}

func TestCloseEndsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(256 * mib)
		s.slow = func(r store.Range) time.Duration {
			if r.Offset >= 4*mib {
				return time.Hour
			}
			return 0
		}
		r := New(s, 96*mib)
		p := r.Pin(s.info)
		read(t, p, 0, 1*mib)
		read(t, p, 1*mib, 1*mib)
		synctest.Wait()
		if p.parts == 0 {
			t.Fatal("no request is under way")
		}
		began := time.Now()
		p.Close()
		synctest.Wait()
		s.done(t, r)
		if took := time.Since(began); took != 0 || p.parts != 0 {
			t.Errorf("%d requests after %v", p.parts, took)
		}
	})
}

func TestCloseWithReadsUnderWay(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 3))
			s := newServer(1 << 50)
			s.latency = 10 * time.Millisecond
			r := New(s, 8*mib)
			p := r.Pin(s.info)
			var wg sync.WaitGroup
			for i := range int64(4) {
				wg.Go(func() {
					for off := i * 256 * kib; off < s.info.Size; off += 1 * mib {
						err := tryRead(t.Context(), p, off, 256*kib)
						if errors.Is(err, os.ErrClosed) {
							return
						}
						if err != nil {
							t.Error(err)
						}
					}
					t.Error("Close did not end the reads")
				})
			}
			time.Sleep(time.Duration(rnd.Int64N(int64(60 * time.Millisecond))))
			began := time.Now()
			p.Close()
			if took := time.Since(began); took != 0 {
				t.Errorf("Close took %v", took)
			}
			p.Close()
			wg.Wait()
			synctest.Wait()
			s.done(t, r)
		})
	}
}

// One reader that gives up waits no longer, and takes nothing from the others.
func TestCancelledReadLeavesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(64 * mib)
		s.slow = func(r store.Range) time.Duration { return time.Duration(r.Offset/(2*mib)) * time.Second }
		r := New(s, 32*mib)
		p := r.Pin(s.info)
		read(t, p, 0, 1*mib)
		read(t, p, 1*mib, 1*mib)
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("interrupted")
		var wg sync.WaitGroup
		wg.Go(func() { // waits for a part
			if err := tryRead(ctx, p, 2*mib, 1*mib); !errors.Is(err, cause) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if err := tryRead(t.Context(), p, 2*mib, 2*mib); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { // far away: a request of its own
			if err := tryRead(ctx, p, 60*mib, 1*mib); !errors.Is(err, cause) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		began := time.Now()
		cancel(cause)
		synctest.Wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("%v passed", took)
		}
		wg.Wait()
		s.once(t)
		p.Close()
		synctest.Wait()
		s.done(t, r)
	})
}
