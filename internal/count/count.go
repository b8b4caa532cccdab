// Package count counts the requests that a client sends.
package count

import (
	"maps"
	"sync"
)

// A Counter counts requests by label. The zero Counter is ready; it is safe for
// concurrent use.
type Counter struct {
	mu sync.Mutex
	n  map[string]int64
}

// Add counts one request.
func (c *Counter) Add(label string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[string]int64)
	}
	c.n[label]++
}

// Snapshot returns a copy of the counts.
func (c *Counter) Snapshot() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}
