package reader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

func TestEnds(t *testing.T) {
	s := newServer(1000)
	r := New(s, 1*mib)
	p := r.Pin(s.info)
	read(t, p, 0, 1000)  // up to the end
	read(t, p, 990, 100) // over it
	for _, off := range []int64{1000, 5000} {
		if n, err := p.ReadAt(t.Context(), make([]byte, 10), off); n != 0 || err != io.EOF {
			t.Errorf("at %d: %d, %v", off, n, err)
		}
	}
	if n, err := p.ReadAt(t.Context(), nil, 5000); n != 0 || err != nil {
		t.Errorf("nothing: %d, %v", n, err)
	}
	if _, err := p.ReadAt(t.Context(), make([]byte, 10), -1); err == nil {
		t.Error("a negative offset was taken")
	}
	if len(s.gets) != 2 {
		t.Errorf("%d requests", len(s.gets))
	}
	// An empty object is never asked for.
	if n, err := r.Pin(store.Info{Key: "none"}).ReadAt(t.Context(), make([]byte, 10), 0); n != 0 || err != io.EOF {
		t.Errorf("empty: %d, %v", n, err)
	}
	if len(s.gets) != 2 {
		t.Errorf("%d requests", len(s.gets))
	}
}

// SEMANTICS G3: a handle reads one version, or fails.
func TestPinnedToOneVersion(t *testing.T) {
	tests := []struct {
		name          string
		etag, version string
		want          store.GetOptions
		now           store.Info // what is there later
		changed       bool
	}{
		{"versioned", "e", "v", store.GetOptions{VersionID: "v"}, store.Info{ETag: "e", VersionID: "v"}, false},
		{"version removed", "e", "v", store.GetOptions{VersionID: "v"}, store.Info{ETag: "e", VersionID: "w"}, true},
		{"unversioned", "e", "", store.GetOptions{IfMatch: "e"}, store.Info{ETag: "f"}, true},
		{"null version overwritten", "e", "null", store.GetOptions{VersionID: "null", IfMatch: "e"}, store.Info{ETag: "f", VersionID: "null"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(64 * mib)
				s.info.ETag, s.info.VersionID = tt.etag, tt.version
				r := New(s, 32*mib)
				p := r.Pin(s.info)
				for off := int64(0); off < 4*mib; off += 1 * mib {
					read(t, p, off, 1*mib)
				}
				synctest.Wait()
				for _, o := range s.opts {
					o.Range = nil
					if o != tt.want {
						t.Fatalf("asked for %+v, want %+v", o, tt.want)
					}
				}
				s.mu.Lock()
				s.info.ETag, s.info.VersionID = tt.now.ETag, tt.now.VersionID
				s.mu.Unlock()
				var err error
				for off := int64(4 * mib); off < s.info.Size && err == nil; off += 1 * mib {
					err = tryRead(t.Context(), p, off, 1*mib)
				}
				if tt.changed != errors.Is(err, ErrChanged) || !tt.changed && err != nil {
					t.Errorf("got %v", err)
				}
				if errors.Is(err, store.ErrNotFound) {
					t.Errorf("%v reads as a missing file", err)
				}
				p.Close()
				synctest.Wait()
				s.done(t, r)
			})
		})
	}
}

func TestErrorsOfGet(t *testing.T) {
	for _, tt := range []struct{ get, want, not error }{
		{store.ErrNotFound, ErrChanged, store.ErrNotFound},
		{store.ErrPrecondition, ErrChanged, store.ErrPrecondition},
		{store.ErrBadRange, ErrChanged, store.ErrBadRange},
		{store.ErrUnavailable, store.ErrUnavailable, ErrChanged},
		{store.ErrArchived, store.ErrArchived, ErrChanged},
	} {
		s := newServer(1000)
		s.fail = fmt.Errorf("get: %w", tt.get)
		n, err := New(s, 0).Pin(s.info).ReadAt(t.Context(), make([]byte, 10), 0)
		if n != 0 || !errors.Is(err, tt.want) || errors.Is(err, tt.not) {
			t.Errorf("%v: got %d, %v", tt.get, n, err)
		}
		if len(s.gets) != 1 {
			t.Errorf("%v: %d requests", tt.get, len(s.gets))
		}
	}
}

// A server that ignores the condition of a GET does not get its bytes through.
func TestConditionIgnored(t *testing.T) {
	s := newServer(1 * mib)
	s.info.VersionID = ""
	p := New(deaf{s}, 1*mib).Pin(s.info)
	read(t, p, 0, 4*kib)
	s.info.ETag = "other"
	if n, err := p.ReadAt(t.Context(), make([]byte, 10), 100*kib); n != 0 || !errors.Is(err, ErrChanged) {
		t.Errorf("got %d, %v", n, err)
	}
	if s.open != 0 {
		t.Errorf("%d bodies were not closed", s.open)
	}
	if _, err := New(s, 0).Pin(store.Info{Key: "k", Size: 5}).ReadAt(t.Context(), make([]byte, 5), 0); err == nil {
		t.Error("read what nothing pins")
	}
}

type deaf struct{ *server }

func (d deaf) Get(ctx context.Context, key string, o store.GetOptions) (*store.Object, error) {
	o.IfMatch = ""
	return d.server.Get(ctx, key, o)
}

var errReset = errors.New("connection reset")

// Bodies break off at random places; the bytes come nevertheless, each once.
func TestBrokenBodiesAreResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(64 * mib)
		var mu sync.Mutex
		rnd := rand.New(rand.NewPCG(1, 1))
		empty := make(map[int64]int) // answers without a byte, by offset
		s.broken = func(_ int, r store.Range) (int64, error) {
			mu.Lock()
			defer mu.Unlock()
			err := errReset
			if rnd.IntN(2) == 0 {
				err = io.EOF
			}
			switch rnd.IntN(4) {
			case 0:
				return -1, nil
			case 1:
				return 1 + rnd.Int64N(2*mib), err
			}
			if empty[r.Offset]++; empty[r.Offset] == maxBreaks-1 {
				return -1, nil
			}
			return 0, err
		}
		r := New(s, 32*mib)
		p := r.Pin(s.info)
		for off := int64(0); off < s.info.Size; off += 300 * kib {
			read(t, p, off, 300*kib)
		}
		if s.sent != s.info.Size {
			t.Errorf("%d bytes for %d", s.sent, s.info.Size)
		}
		p.Close()
		synctest.Wait()
		s.done(t, r)
	})
}

func TestBodyThatKeepsBreaking(t *testing.T) {
	for _, broken := range []error{errReset, io.EOF} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(64 * mib)
			s.broken = func(n int, _ store.Range) (int64, error) {
				if n == 0 {
					return 1000, broken
				}
				return 0, broken
			}
			p := New(s, 0).Pin(s.info)
			n, err := p.ReadAt(t.Context(), make([]byte, 5000), 0)
			if n != 1000 || err == nil || errors.Is(err, io.EOF) || broken == errReset && !errors.Is(err, errReset) {
				t.Errorf("got %d, %v", n, err)
			}
			if len(s.gets) != maxBreaks || s.gets[1] != (span{1000, 5000}) {
				t.Errorf("requests %v", s.gets)
			}
			// Bytes in between are progress.
			s.broken = func(int, store.Range) (int64, error) { return 1000, broken }
			if err := tryRead(t.Context(), p, 0, 50000); err != nil {
				t.Error(err)
			}
			s.broken = func(int, store.Range) (int64, error) { return 0, broken }
			// Whoever waits for the next try can be interrupted.
			ctx, cancel := context.WithTimeout(t.Context(), firstPause/4)
			defer cancel()
			began := time.Now()
			if err := tryRead(ctx, p, 0, 5000); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != firstPause/4 {
				t.Errorf("got %v after %v", err, time.Since(began))
			}
			s.done(t, p.r)
		})
	}
}

// What could not be fetched ahead is no error until somebody wants it, and then it is
// tried again.
func TestFailedReadAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(64 * mib)
		r := New(s, 32*mib)
		p := r.Pin(s.info)
		read(t, p, 0, 1*mib)
		s.mu.Lock()
		s.broken = func(_ int, r store.Range) (int64, error) {
			return max(0, 2*mib-r.Offset), errReset
		}
		s.mu.Unlock()
		read(t, p, 1*mib, 1*mib) // and more after it, in vain
		time.Sleep(time.Minute)
		if n := len(s.answers()); n < 2+maxBreaks {
			t.Fatalf("%d requests", n)
		}
		if r.Used() != 0 {
			t.Errorf("%d bytes are kept of what failed", r.Used())
		}
		if err := tryRead(t.Context(), p, 2*mib, 1*mib); !errors.Is(err, errReset) {
			t.Errorf("got %v", err)
		}
		s.mu.Lock()
		s.broken = nil
		s.mu.Unlock()
		for off := int64(2 * mib); off < s.info.Size; off += 1 * mib {
			read(t, p, off, 1*mib)
		}
		p.Close()
		synctest.Wait()
		s.done(t, r)
	})
}

// Readers of all kinds share one Pinned and never see a wrong byte.
func TestEverythingAtOnce(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(12*mib + 1)
			s.latency = 5 * time.Millisecond
			s.broken = func(n int, _ store.Range) (int64, error) {
				if n%3 == 0 {
					return int64(n) * 1000 % (1 * mib), errReset
				}
				return -1, nil
			}
			r := New(s, 3*mib)
			p := r.Pin(s.info)
			var wg sync.WaitGroup
			for i := range uint64(6) {
				wg.Go(func() {
					rnd := rand.New(rand.NewPCG(seed, i))
					off := int64(0)
					for range 80 {
						n := 1 + rnd.Int64N(600*kib)
						ctx, cancel := context.WithCancel(t.Context())
						if rnd.IntN(10) == 0 {
							ctx, cancel = context.WithTimeout(t.Context(), time.Duration(rnd.Int64N(int64(10*time.Millisecond))))
						}
						if err := tryRead(ctx, p, off, n); err != nil && !errors.Is(err, context.DeadlineExceeded) {
							t.Error(err)
						}
						cancel()
						if off += n; off >= s.info.Size || rnd.IntN(20) == 0 {
							off = rnd.Int64N(s.info.Size)
						}
					}
				})
			}
			wg.Wait()
			p.Close()
			synctest.Wait()
			s.done(t, r)
		})
	}
}

// BenchmarkSequential measures the processor time for each byte, the fake server's
// included.
func BenchmarkSequential(b *testing.B) {
	for _, size := range []int64{128 * kib, 1 * mib} {
		b.Run(map[int64]string{128 * kib: "128KiB", 1 * mib: "1MiB"}[size], func(b *testing.B) {
			s := newServer(1 << 50)
			p := New(s, 96*mib).Pin(s.info)
			defer p.Close()
			buf := make([]byte, size)
			b.SetBytes(size)
			b.ReportAllocs()
			off := int64(0)
			for b.Loop() {
				if _, err := p.ReadAt(b.Context(), buf, off); err != nil {
					b.Fatal(err)
				}
				off += size
			}
		})
	}
}
