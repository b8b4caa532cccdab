package reader

import (
	"math/rand/v2"
	"testing"
)

// Reads at random are added next to a plain list of bytes.
func TestAskedAgainstBytes(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var a asked
		var have [100]bool
		for range 40 {
			off := rnd.Int64N(90)
			end := off + 1 + rnd.Int64N(9)
			var joined, fresh bool
			for i := max(0, off-1); i <= min(end, 99); i++ {
				joined = joined || have[i]
			}
			for i := off; i < end; i++ {
				fresh = fresh || !have[i]
				have[i] = true
			}
			in, j, f := a.add(off, end)
			if j != joined || f != fresh || in.off > off || in.end < end {
				t.Fatalf("seed %d: [%d, %d): %v %v %v, want %v %v", seed, off, end, in, j, f, joined, fresh)
			}
			last := int64(-1)
			var got [100]bool
			for _, s := range a {
				if s.off <= last || s.end <= s.off {
					t.Fatalf("seed %d: %v", seed, a)
				}
				last = s.end
				for i := s.off; i < s.end; i++ {
					got[i] = true
				}
			}
			if got != have {
				t.Fatalf("seed %d: %v", seed, a)
			}
		}
	}
}

func TestAskedForgetsTheFarthest(t *testing.T) {
	var a asked
	for i := range int64(maxSpans) {
		a.add(i*100, i*100+10)
	}
	a.add(1e6, 1e6+10)
	if len(a) != maxSpans || a[0].off != 100 {
		t.Errorf("%d spans from %d", len(a), a[0].off)
	}
	a.add(50, 60)
	if len(a) != maxSpans || a[0].off != 50 || a[maxSpans-1].off != (maxSpans-1)*100 {
		t.Errorf("%d spans: %v", len(a), a)
	}
}

func TestGap(t *testing.T) {
	a := asked{{10, 20}, {30, 40}}
	for _, tt := range []struct{ off, n, want int64 }{
		{0, 10, 0}, {0, 11, 40}, {1, 9, 1}, {1, 10, 20}, {10, 1, 20}, {15, 10, 20}, {15, 11, 40},
		{20, 10, 20}, {22, 10, 40}, {35, 1, 40}, {40, 100, 40}, {50, 100, 50},
	} {
		if got := a.gap(tt.off, tt.n); got != tt.want {
			t.Errorf("gap(%d, %d) = %v, want %v", tt.off, tt.n, got, tt.want)
		}
	}
}
