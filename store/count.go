package store

import (
	"maps"
	"sync"
)

// A counter counts requests by operation. The zero counter is ready.
type counter struct {
	mu sync.Mutex
	n  map[string]int64
}

func (c *counter) add(op string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[string]int64)
	}
	c.n[op]++
}

// snapshot returns a copy of the counts.
func (c *counter) snapshot() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}
