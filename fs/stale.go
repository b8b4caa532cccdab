package fs

import (
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/latchfs/latchfs/store"
)

// staleFor is how long a call that was answered ESTALE is remembered. The kernel repeats
// it at once, after a LOOKUP.
const staleFor = 10 * time.Second

// A staleCall is a system call with a path of which a request was answered ESTALE: a thread makes
// one at a time. The user is part of it, since the kernel may refuse the second try to one and not
// to another.
type staleCall struct {
	caller fuse.Caller
	key    string
}

// A secondTry is what is remembered of one.
type secondTry struct {
	since  time.Time
	open   bool        // the request was an OPEN
	looked *store.Base // the version that the name was looked up as since, nil: it was not
}

// known is the version that the second try of an open is about, if it was an open. Another call
// need not be followed by the same one; what was looked up for it may be old by then.
func (s secondTry) known() *store.Base {
	if !s.open {
		return nil
	}
	return s.looked
}

// staleCalls remembers who was answered ESTALE, so that nobody gets that answer twice for one
// call: the second one would reach the program.
type staleCalls struct {
	mu sync.Mutex
	m  map[staleCall]secondTry
}

// note remembers that the call was answered ESTALE.
func (s *staleCalls) note(caller fuse.Caller, key string, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, try := range s.m {
		if time.Since(try.since) > staleFor {
			delete(s.m, c)
		}
	}
	s.m[staleCall{caller, key}] = secondTry{since: time.Now(), open: open}
}

// looked remembers what the look-up found that the kernel makes between the two tries.
func (s *staleCalls) looked(caller fuse.Caller, key string, version store.Base) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := staleCall{caller, key}
	if try, ok := s.m[c]; ok {
		try.looked = &version
		s.m[c] = try
	}
}

// again tells, once, whether the request is of the second try of a call that was answered ESTALE.
func (s *staleCalls) again(caller fuse.Caller, key string) (try secondTry, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := staleCall{caller, key}
	try, ok := s.m[c]
	delete(s.m, c)
	if !ok || time.Since(try.since) > staleFor {
		return secondTry{}, false
	}
	return try, true
}
