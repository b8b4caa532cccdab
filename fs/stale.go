package fs

import (
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/latchfs/latchfs/store"
)

// staleFor is how long a request that was answered ESTALE is remembered. The kernel repeats
// it at once, after a LOOKUP.
const staleFor = 10 * time.Second

// A staleOpen is an open that was answered ESTALE: a thread makes one at a time. The user is
// part of it, since the kernel may refuse the second try to one and not to another.
type staleOpen struct {
	caller fuse.Caller
	key    string
}

// A secondTry is what is remembered of one.
type secondTry struct {
	since  time.Time
	looked *store.Base // the version that the name was looked up as since, nil: it was not
}

// staleOpens remembers who was answered ESTALE, so that nobody gets that answer twice for one
// request: the second one would reach the program.
type staleOpens struct {
	mu sync.Mutex
	m  map[staleOpen]secondTry
}

// note remembers that the open was answered ESTALE.
func (s *staleOpens) note(caller fuse.Caller, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o, try := range s.m {
		if time.Since(try.since) > staleFor {
			delete(s.m, o)
		}
	}
	s.m[staleOpen{caller, key}] = secondTry{since: time.Now()}
}

// looked remembers what the look-up found that the kernel makes between the two tries.
func (s *staleOpens) looked(caller fuse.Caller, key string, version store.Base) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := staleOpen{caller, key}
	if try, ok := s.m[o]; ok {
		try.looked = &version
		s.m[o] = try
	}
}

// again tells, once, whether the open is the second try of one that was answered ESTALE, and
// what was looked up in between.
func (s *staleOpens) again(caller fuse.Caller, key string) (looked *store.Base, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := staleOpen{caller, key}
	try, ok := s.m[o]
	delete(s.m, o)
	if !ok || time.Since(try.since) > staleFor {
		return nil, false
	}
	return try.looked, true
}
