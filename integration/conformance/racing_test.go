package conformance

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

func parallel(ctx context.Context, n, c int, f func(i int) error) error {
	var wg sync.WaitGroup
	var next atomic.Int64
	var mu sync.Mutex
	var ferr error
	for w := 0; w < c; w++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				i := int(next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return
				}
				if err := f(i); err != nil {
					mu.Lock()
					if ferr == nil {
						ferr = fmt.Errorf("item %d: %s", i, code(err))
					}
					mu.Unlock()
					return
				}
			}
		}()
	}
	wg.Wait()
	return ferr
}

// race runs n functions at once and returns a histogram of outcome codes.
func race(n int, f func(i int) error) (wins int, hist map[string]int) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	hist = map[string]int{}
	start := make(chan struct{})
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			<-start
			err := f(i)
			mu.Lock()
			defer mu.Unlock()
			hist[code(err)]++
			if err == nil {
				wins++
			}
		}()
	}
	close(start)
	wg.Wait()
	return
}

func addHist(a, b map[string]int) {
	for k, v := range b {
		a[k] += v
	}
}

// verdict judges n rounds of a race: exactly one winner each, losers 412 or 409.
func verdict(rounds, badRounds, n int, worst int, hist map[string]int) error {
	s := fmt.Sprintf("%d rounds x %d: %v", rounds, n, hist)
	if badRounds > 0 {
		return fmt.Errorf("%d of %d rounds without exactly one winner (worst: %d winners); %s", badRounds, rounds, worst, s)
	}
	for k := range hist {
		if k != "ok" && !strings.HasPrefix(k, "412/") && !strings.HasPrefix(k, "409/") {
			return fmt.Errorf("one winner each, but losers got other codes; %s", s)
		}
	}
	return nil
}
