package fs

import (
	"sync"
	"time"
)

// staleFor is how long a request that was answered ESTALE is remembered. The kernel repeats
// it at once, after a LOOKUP.
const staleFor = 10 * time.Second

// A staleOpen is an open that was answered ESTALE: a thread makes one at a time.
type staleOpen struct {
	pid uint32
	key string
}

// staleOpens remembers who was answered ESTALE, so that nobody gets that answer twice for one
// request: the second one would reach the program.
type staleOpens struct {
	mu sync.Mutex
	m  map[staleOpen]time.Time
}

// note remembers that the open was answered ESTALE.
func (s *staleOpens) note(pid uint32, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o, at := range s.m {
		if time.Since(at) > staleFor {
			delete(s.m, o)
		}
	}
	s.m[staleOpen{pid, key}] = time.Now()
}

// again tells, once, whether the open is the second try of one that was answered ESTALE.
func (s *staleOpens) again(pid uint32, key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := staleOpen{pid, key}
	at, ok := s.m[o]
	delete(s.m, o)
	return ok && time.Since(at) <= staleFor
}
