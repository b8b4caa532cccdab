package fs

import (
	"testing"
	"testing/synctest"
	"time"
)

// Nobody is answered ESTALE twice for one request, and the next request is a new one.
func TestStaleOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := staleOpens{m: make(map[staleOpen]time.Time)}
		if s.again(1, "a") {
			t.Error("a first try counts as a second")
		}
		s.note(1, "a")
		if s.again(2, "a") || s.again(1, "b") {
			t.Error("another thread or name counts as the second try")
		}
		if !s.again(1, "a") {
			t.Error("the second try is not known")
		}
		if s.again(1, "a") {
			t.Error("a third open is taken for the second try")
		}
		s.note(1, "a")
		time.Sleep(staleFor + time.Second)
		if s.again(1, "a") {
			t.Error("an open long after counts as the second try")
		}
		s.note(2, "a")
		if len(s.m) != 1 {
			t.Errorf("%d are remembered", len(s.m))
		}
	})
}
