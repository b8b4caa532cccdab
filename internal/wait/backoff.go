package wait

import (
	"context"
	"math/rand/v2"
	"time"
)

// A Backoff makes pauses that grow, with jitter, so that those who failed together do not
// come back together. It is for one goroutine.
type Backoff struct {
	// First and Last are the first step and the longest one.
	First, Last time.Duration
	// Factor is how much longer each step is than the one before; 0 means 2.
	Factor float64

	step time.Duration // the last one, 0 before the first
}

// Next returns the length of the next pause, which is between half of a step and all of it.
func (b *Backoff) Next() time.Duration {
	factor := b.Factor
	if factor == 0 {
		factor = 2
	}
	grown := time.Duration(float64(b.step) * factor)
	b.step = min(max(grown, b.First), b.Last)
	return b.step/2 + rand.N(b.step/2+1)
}

// Wait makes the next pause; ctx and wake end it as they do in For.
func (b *Backoff) Wait(ctx context.Context, wake <-chan struct{}) bool {
	return For(ctx, b.Next(), wake)
}
