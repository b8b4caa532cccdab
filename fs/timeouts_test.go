package fs

import (
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel believes an answer until the bucket was asked for it a TTL ago, not for a TTL from
// the answer on: what another host changes is seen after one TTL, and not after two.
// SEMANTICS G2
func TestAnswersAreBelievedByTheirAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.bucket.PutForeign("d/a", "x")
		dir, asked := w.find(root, "d"), time.Now()
		n := w.find(dir, "a")
		time.Sleep(testTTL / 4)
		for name, parent := range map[string]uint64{"a": dir, "d": root} {
			out, s := w.lookup(parent, name)
			w.ok("lookup", s)
			if want := testTTL - time.Since(asked); out.EntryTimeout() != want || out.AttrTimeout() != want {
				t.Errorf("the look-up of %q is believed for %s and %s, want %s", name, out.EntryTimeout(), out.AttrTimeout(), want)
			}
		}
		for _, n := range []uint64{n, dir} {
			if _, kept := w.mode(n); kept != testTTL-time.Since(asked) {
				t.Errorf("the attributes of %d are believed for %s", n, kept)
			}
		}
		// Of an open file, and of what was changed here, this host has the truth.
		w.open(n, unix.O_RDWR)
		if _, kept := w.mode(n); kept != testTTL {
			t.Errorf("the attributes of an open file are believed for %s", kept)
		}
		made := w.mkdir(root, "made")
		if _, kept := w.mode(made); kept != testTTL {
			t.Errorf("what was made here is believed for %s", kept)
		}
	})
}
