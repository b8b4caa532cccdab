package file

import (
	"context"
	"os"
	"testing"
	"time"
)

// deferring is a process that holds a descriptor with write access on every file.
const deferring = 1

// fakeProc makes a process file system that all mounts share.
func fakeProc(t *testing.T) string {
	h := &host{t: t, proc: t.TempDir()}
	h.process(deferring, fd(5))
	if _, err := os.Stat(h.proc); err != nil {
		t.Fatal(err)
	}
	return h.proc
}

// unmount ends a mount as umount does. What the bucket has refused stays in its spool, for
// whoever recovers it.
func (w *witness) unmount(m *mount) {
	m.exit()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	left, err := m.Shutdown(ctx)
	if !w.failed && (err != nil || len(left) > len(m.parked)) {
		w.errorf("unmounting %s: left %+v, %v", m.name, left, err)
	}
	if err := m.mgr.Close(ctx); err != nil && !w.failed {
		w.errorf("unmounting %s: %v", m.name, err)
	}
	w.judge()
	for _, d := range w.drafts {
		if d.m == m && !w.failed {
			if d.over != "parked" && d.over != "conflicted" {
				w.errorf("not settled at the unmount: %s", d)
			}
			d.over = "killed"
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	m.dead, m.died = true, time.Now()
}

// nothingLeft checks that all is settled and nothing is left, after the last mount.
func (w *witness) nothingLeft() {
	w.ending.Wait()
	for _, m := range w.mounts {
		m.b.net.Wait()
	}
	if w.failed {
		return
	}
	// An upload whose beginning got no answer stays, without parts.
	if n := len(w.copies); n > 0 {
		w.errorf("%d uploads with parts are left", n)
	}
	w.oneThingInside()
	for _, d := range w.drafts {
		w.errorf("not settled: %s", d)
	}
	for _, m := range w.mounts {
		if m != w.mounts[len(w.mounts)-1] && !m.saved {
			w.errorf("the spool of %s is not recovered", m.name)
		}
	}
}
