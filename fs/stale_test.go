package fs

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Nobody is answered ESTALE twice for one request, and the next request is a new one.
func TestStaleOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		by := func(pid uint32) fuse.Caller { return fuse.Caller{Pid: pid} }
		again := func(s *staleCalls, pid uint32, key string) bool {
			_, again := s.again(by(pid), key)
			return again
		}
		s := &staleCalls{m: make(map[staleCall]secondTry)}
		if again(s, 1, "a") {
			t.Error("a first try counts as a second")
		}
		s.note(by(1), "a", true)
		if again(s, 2, "a") || again(s, 1, "b") {
			t.Error("another thread or name counts as the second try")
		}
		if !again(s, 1, "a") {
			t.Error("the second try is not known")
		}
		if again(s, 1, "a") {
			t.Error("a third open is taken for the second try")
		}
		s.note(by(1), "a", true)
		time.Sleep(staleFor + time.Second)
		if again(s, 1, "a") {
			t.Error("an open long after counts as the second try")
		}
		s.note(by(2), "a", true)
		if len(s.m) != 1 {
			t.Errorf("%d are remembered", len(s.m))
		}
	})
}
