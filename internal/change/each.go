package change

import (
	"context"
	"sync"
)

// parallel is how many names are changed at the same time: at 20 ms per request about as many
// requests a second as S3 takes for each prefix.
const parallel = 64

// Each calls do for all items, 64 at a time, in their order, and returns when all calls have
// returned. Once ctx has ended no more are begun.
func Each[T any](ctx context.Context, items []T, do func(item T)) {
	var all sync.WaitGroup
	defer all.Wait()
	places := make(chan struct{}, parallel)
	for _, item := range items {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return
		}
		all.Go(func() {
			defer func() { <-places }()
			do(item)
		})
	}
}
