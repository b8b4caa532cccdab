package file

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store/faultstore"
)

// What goes well, although the witness did not understand it once.
func TestWitnessIsContent(t *testing.T) {
	proc := fakeProc(t)
	for _, c := range []struct {
		name        string
		unversioned bool
		run         func(w *witness, x, y *mount)
	}{
		{"a file is renamed after somebody else has put the same bytes there without their metadata", true, func(w *witness, x, _ *mount) {
			d := w.mustOpen(x, "a", "c")
			w.write(d, "<one>", 0)
			w.flush(d, "fsync", false)
			w.judge()
			w.remove("a")
			w.put("a", "<one>", "")
			w.rename(x, "a", "b", false)
			w.judge()
			w.flush(d, "close", false)
		}},
		{"a file that somebody else has removed is renamed, and written again", false, func(w *witness, x, _ *mount) {
			w.put("a", "<one>", "")
			d := w.mustOpen(x, "a", "r+")
			w.remove("a")
			x.meets("Delete", faultstore.Fault{Late: time.Second})
			w.rename(x, "a", "b", false)
			w.judge()
			w.write(d, "<two>", 0)
			w.flush(d, "close", false)
		}},
		{"a file is renamed, but it was removed on another mount after the lease was lost", false, func(w *witness, x, y *mount) {
			w.put("a", "<one>", "")
			d := w.mustOpen(x, "a", "r+")
			x.b.net.Hook(func(op, key string, n int) faultstore.Fault {
				return faultstore.Fault{Hang: op == "Delete" || op == "Head" && key == "a"}
			})
			w.rename(x, "a", "b", false)
			w.judge()
			x.isolate(true)
			w.write(d, "<two>", 0)
			w.open(y, "a", "r+", 0o644, func(d *descriptor) { w.flush(d, "close", false) })
			time.Sleep(time.Minute)
			w.judge()
			w.unlink(y, "a")
			w.judge()
			x.b.net.Hook(nil)
			x.isolate(false)
			w.flush(d, "close", false)
		}},
		{"a rename waits for the outcome of its removal, when the file is closed and its target opened", false, func(w *witness, x, _ *mount) {
			w.put("a", "<one>", "")
			w.put("b", "<two>", "")
			d, b := w.mustOpen(x, "a", "r+"), w.mustOpen(x, "b", "r+")
			w.write(d, "<three>", 0)
			x.meets("Delete", faultstore.Fault{Late: 100 * time.Millisecond})
			w.rename(x, "a", "b", false)
			w.judge()
			time.Sleep(200 * time.Millisecond)
			w.judge()
			w.flush(d, "close", false)
			w.judge()
			w.flush(w.mustOpen(x, "b", "r+"), "close", false)
			w.flush(b, "close", false)
		}},
		{"a file is closed, and what somebody else has put there removed in the same moment", false, func(w *witness, x, _ *mount) {
			w.put("a", "<one>", "")
			d, r := w.mustOpen(x, "a", "r+"), w.mustOpen(x, "a", "r")
			w.put("a", "<two>", "")
			w.flush(d, "close", false)
			synctest.Wait()
			w.unlink(x, "a")
			w.judge()
			w.read(r)
			w.judge()
			w.flush(r, "close", false)
		}},
		{"a removal lands late on the same bytes, which somebody else has put back", true, func(w *witness, x, _ *mount) {
			w.put("a", "<one>", "")
			d := w.mustOpen(x, "a", "r+")
			w.remove("a")
			x.meets("Delete", faultstore.Fault{Hang: true, Late: 5 * time.Second})
			w.unlink(x, "a")
			time.Sleep(timing.Stall() + time.Second)
			w.judge()
			w.put("a", "<one>", "")
			time.Sleep(time.Minute)
			w.judge()
			w.flush(d, "close", false)
		}},
		{"what was made below a file may not be taken back", false, func(w *witness, x, y *mount) {
			w.put("a", "<one>", "")
			n := w.mustOpen(y, "n", "c")
			x.meets("Delete", refusal)
			w.rename(x, "a", "n/x", false)
			time.Sleep(time.Minute)
			w.judge()
			w.flush(n, "close", false)
		}},
		{"a rename of a file that somebody else has removed is taken back, which is not answered", false, func(w *witness, x, y *mount) {
			w.put("a", "<one>", "")
			d := w.mustOpen(x, "a", "r+")
			w.write(d, "<two>", 0)
			w.flush(d, "fsync", false)
			w.judge()
			w.remove("a")
			n := w.mustOpen(y, "n", "c")
			x.meets("Delete", faultstore.Fault{Late: 100 * time.Millisecond})
			w.rename(x, "a", "n/x", false)
			time.Sleep(time.Minute)
			w.judge()
			w.flush(n, "close", false)
			w.flush(d, "close", false)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWitness(t, proc, !c.unversioned, 0)
				t.Cleanup(w.giveUp)
				x, y := w.newMount(), w.newMount()
				c.run(w, x, y)
				for range 5 {
					w.judge()
					time.Sleep(time.Minute)
				}
				last := w.newMount()
				for _, m := range []*mount{x, y} {
					w.empty(m)
					w.unmount(m)
					w.recover(last, m)
				}
				w.judge()
				w.unmount(last)
				w.nothingLeft()
			})
		})
	}
}

// giveUp shows what led to a failure, if there is one, and ends what runs.
func (w *witness) giveUp() {
	if !w.t.Failed() {
		return
	}
	w.t.Log(strings.Join(w.log, "\n"))
	for _, m := range w.mounts {
		if !m.dead {
			m.kill()
		}
	}
	w.ending.Wait()
}

// mustOpen opens a file at once.
func (w *witness) mustOpen(x *mount, key, how string) (d *descriptor) {
	w.open(x, key, how, 0o644, func(o *descriptor) { d = o })
	w.judge()
	if d == nil {
		w.t.Fatalf("%s of %s on %s failed", how, key, x)
	}
	return d
}

// meets lets the next request of its kind meet a fault.
func (m *mount) meets(op string, f faultstore.Fault) {
	var met atomic.Bool
	m.b.net.Hook(func(o, _ string, _ int) faultstore.Fault {
		if o == op && !met.Swap(true) {
			return f
		}
		return faultstore.Fault{}
	})
}

// isolate takes the lock table away from a mount, or gives it back.
func (m *mount) isolate(off bool) {
	m.w.mu.Lock()
	m.cut = off
	m.w.mu.Unlock()
	m.table.Partition(off)
	m.calm = time.Now()
}
