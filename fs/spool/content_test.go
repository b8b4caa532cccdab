package spool

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"testing"
)

// A random file is written, cut and grown next to a plain byte slice, and read by ranges.
func TestContentAgainstBytes(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		base := make([]byte, r.IntN(64))
		for i := range base {
			base[i] = byte('A' + i%26)
		}
		size := len(base)
		if r.IntN(3) == 0 {
			size = 0 // truncated at open
		}
		want := append([]byte(nil), base[:size]...)
		c := content{size: int64(size), base: int64(min(len(base), size))}
		var data []byte
		for step := range 60 {
			switch r.IntN(5) {
			case 0:
				n := r.IntN(100)
				c.truncate(int64(n))
				for len(want) < n {
					want = append(want, 0)
				}
				want = want[:n:n]
			default:
				off, p := r.IntN(90), make([]byte, 1+r.IntN(20))
				for i := range p {
					p[i] = byte('a' + step%26)
				}
				if r.IntN(3) == 0 {
					off = len(want) // append
				}
				c.write(extent{off: int64(off), len: int64(len(p)), data: int64(len(data))})
				data = append(data, p...)
				for len(want) < off+len(p) {
					want = append(want, 0)
				}
				copy(want[off:], p)
			}
			checkContent(t, &c)
			uses := slices.ContainsFunc(c.segments(0, c.size), func(s segment) bool { return s.src == fromBase })
			if c.usesBase() != uses {
				t.Fatalf("seed %d step %d: usesBase is %v: base %d, %v", seed, step, !uses, c.base, c.ext)
			}
			off, n := r.IntN(110), r.IntN(110)
			got := make([]byte, n)
			m, err := fill(context.Background(), got, int64(off), c.segments(int64(off), int64(n)), bytes.NewReader(data), baseBytes(base))
			if err != nil {
				t.Fatalf("seed %d step %d: %v", seed, step, err)
			}
			if exp := want[min(off, len(want)):min(off+n, len(want))]; !bytes.Equal(got[:m], exp) {
				t.Fatalf("seed %d step %d: read %d at %d: got %q want %q", seed, step, n, off, got[:m], exp)
			}
		}
	}
}

// checkContent checks what every content holds to.
func checkContent(t *testing.T, c *content) {
	t.Helper()
	at := int64(0)
	for _, e := range c.ext {
		if e.len <= 0 || e.off < at {
			t.Fatalf("extents overlap or are empty: %v", c.ext)
		}
		at = e.end()
	}
	if at > c.size || c.base > c.size {
		t.Fatalf("extents or base beyond the size %d: %v, base %d", c.size, c.ext, c.base)
	}
}

func TestSequentialWritesAreOneExtent(t *testing.T) {
	var c content
	for i := range int64(1000) {
		c.write(extent{off: i * 10, len: 10, data: i * 10})
	}
	if len(c.ext) != 1 {
		t.Errorf("%d extents, want 1", len(c.ext))
	}
}

type baseBytes []byte

func (b baseBytes) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return copy(p, b[off:]), nil
}
