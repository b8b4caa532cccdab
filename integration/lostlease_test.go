package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// afterLoss is what the log of a host may say that lost its lease, and that of a host which
// took it over.
const afterLoss = "lost|dead|conflict|changed|expired|beat|session|unavailable|EIO|refused"

// A stoppedWriter has a file open for write when its mount is stopped beyond lease and delay.
type stoppedWriter struct {
	*files
	name  string
	dirty bool // it had written, and was told that its bytes are accepted
	fd    int
	act   fileCall // made by name when the mount goes on
	acted <-chan fileResult
}

var callsByName = []fileCall{{Op: "rename"}, {Op: "unlink"}, {Op: "chmod", N: 0o600}, {Op: "truncate", Off: cutTo}}

// What the host that loses its lease writes, all of one length.
const (
	mineBefore = "saved before the loss   \n"
	mineDirty  = "accepted before the loss\n"
	mineAfter  = "written after the loss  \n"
	cutTo      = 7 // bytes are what a truncation leaves
)

func theirsFor(name string) string {
	return "from the other host: " + name + " " + strings.Repeat("t", 200) + "\n"
}

// A host loses its lease in a long pause, and another host writes the file. Whatever a program
// then does to the name, in the very moment in which its mount goes on or a little later, its
// descriptor is told ESTALE before or at its close, the other host's bytes stay whole under a
// name, or in the history where the program itself removed or cut them, and what the program
// was told is accepted stands in a conflict file.
// SEMANTICS G1, G2, G5
func TestNamesAfterALostLease(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		// goOn lets the mount go on and makes the calls.
		goOn func(one *harness.Host, p *harness.Proxy, writers []*stoppedWriter)
	}{
		{"at once", func(one *harness.Host, _ *harness.Proxy, writers []*stoppedWriter) {
			for i, w := range writers {
				if i == len(writers)/2 {
					one.Signal(unix.SIGCONT) // the calls so far stand in the kernel's queue
				}
				w.begin()
				if i >= len(writers)/2 {
					time.Sleep(time.Millisecond << (i - len(writers)/2))
				}
			}
		}},
		{"when the lock table is back", func(one *harness.Host, p *harness.Proxy, writers []*stoppedWriter) {
			// The session is found dead, and for a moment no lock can be had: whoever looks
			// after the file now has to come again.
			p.Inject(func(r *http.Request) harness.Fault {
				if strings.Contains(r.URL.Path, "-locks/v1/lock/") {
					return harness.Refuse
				}
				return harness.Pass
			})
			one.Signal(unix.SIGCONT)
			one.Eventually(30*time.Second, func() error {
				if !strings.Contains(one.Log(), "session lost") {
					return some([]int{}, "loss of the session")
				}
				return nil
			})
			time.Sleep(1500 * time.Millisecond)
			p.Inject(nil)
			for _, w := range writers {
				w.begin()
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := suite.New(t)
			b := e.Bucket(harness.OnS3, harness.Brief)
			p := b.Proxy()
			one, two := b.Through(p.URL).Mount("one").Expect(afterLoss), b.Mount("two").Expect(afterLoss)
			var writers []*stoppedWriter
			for _, dirty := range []bool{false, true} {
				for _, act := range callsByName {
					w := &stoppedWriter{files: newFiles(e), name: act.Op + map[bool]string{false: "-clean", true: "-dirty"}[dirty], dirty: dirty, act: act}
					w.act.Path, w.act.To = one.Path(w.name), one.Path(w.name+"-renamed")
					w.mustPut(one.Path(w.name), mineBefore)
					w.fd = w.mustOpen(one.Path(w.name), unix.O_RDWR)
					if dirty {
						w.mustWrite(w.fd, 0, mineDirty)
					}
					writers = append(writers, w)
				}
			}
			stopUntilWritten(e, one, two, writers)
			tt.goOn(one, p, writers)
			for _, w := range writers {
				w.finish(e, b)
			}
		})
	}
}

// stopUntilWritten stops the first host's mount and lets the second write all the files, which
// it can after lease and delay. The mount is still stopped when it returns.
func stopUntilWritten(e *harness.Env, one, two *harness.Host, writers []*stoppedWriter) {
	e.Helper()
	g := newFiles(e)
	one.Signal(unix.SIGSTOP)
	e.Cleanup(func() {
		if one.Running() {
			one.Signal(unix.SIGCONT)
		}
	})
	for _, w := range writers {
		g.mustPut(two.Path(w.name), theirsFor(w.name))
	}
}

// begin makes the call by name, without waiting for its end.
func (w *stoppedWriter) begin() {
	w.acted = w.files.begin(w.act)
}

// finish writes and closes, and checks what became of everybody's bytes.
func (w *stoppedWriter) finish(e *harness.Env, b *harness.Bucket) {
	e.Helper()
	_, acted := w.within(time.Minute, w.acted)
	written := w.write(w.fd, 0, mineAfter)
	closed := w.close(w.fd)
	theirs, to := theirsFor(w.name), w.name+"-renamed"
	now, renamed, then := contentNow(e, b, w.name), contentNow(e, b, to), contents(e, b, w.name)
	kept := strings.Join(keptIn(e, b, w.name, "conflict"), "")
	var wrong []string
	if written != unix.ESTALE && closed != unix.ESTALE {
		wrong = append(wrong, "nobody was told that the file is another host's now")
	}
	may := []string{mineBefore, theirs}
	safe := now == theirs
	switch w.act.Op {
	case "rename":
		safe = safe || renamed == theirs
	case "unlink":
		safe = safe || acted == nil && then[len(then)-1] == theirs
	case "truncate":
		safe = safe || acted == nil && now == theirs[:cutTo] && slices.Contains(then, theirs)
		may = append(may, theirs[:cutTo])
	}
	if !safe {
		wrong = append(wrong, "LOST UPDATE: what the other host wrote is gone")
	}
	for _, got := range append(then, contents(e, b, to)...) {
		if !slices.Contains(may, got) {
			wrong = append(wrong, fmt.Sprintf("a version has %.40q, which nobody wrote as a whole", got))
		}
	}
	switch {
	case written == nil && !strings.Contains(kept, mineAfter),
		written != nil && w.dirty && !strings.Contains(kept, mineDirty) && !(w.act.Op == "truncate" && strings.Contains(kept, mineDirty[:cutTo])):
		wrong = append(wrong, "accepted bytes are in no conflict file")
	}
	if len(wrong) > 0 {
		e.Errorf("%s: %s answered %v, then write %v, close %v:\n%s\nit is %.40q in the versions %.40q, under the new name %.40q, kept beside %q",
			w.name, w.act.Op, acted, written, closed, strings.Join(wrong, "\n"), now, then, renamed, kept)
	}
}

// A program that writes has the file open while its host loses the lease and another host
// writes the file. From the first moment on every open and every look at the name on that host
// shows what the other host wrote, also to a program that opens for write, whose close then
// stands; and the descriptors that were open still answer for their own file.
// SEMANTICS G1, G2
func TestOpensAfterALostLease(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		cut  bool // the lock table cannot be reached, instead of a pause
	}{{"after a pause", false}, {"without the lock table", true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := suite.New(t)
			b := e.Bucket(harness.OnDynamoDB, harness.Brief)
			p := b.LockProxy()
			one, two := b.LocksThrough(p.URL).Mount("one").Expect(afterLoss), b.Mount("two").Expect(afterLoss)
			var writers []*stoppedWriter
			for _, dirty := range []bool{false, true} {
				w := &stoppedWriter{files: newFiles(e), name: map[bool]string{false: "clean", true: "dirty"}[dirty], dirty: dirty}
				w.mustPut(one.Path(w.name), mineBefore)
				w.fd = w.mustOpen(one.Path(w.name), unix.O_RDWR)
				if dirty {
					w.mustWrite(w.fd, 0, mineDirty)
				}
				writers = append(writers, w)
			}
			if tt.cut {
				p.Inject(all(harness.Refuse))
				g := newFiles(e)
				for _, w := range writers {
					g.mustPut(two.Path(w.name), theirsFor(w.name))
				}
			} else {
				stopUntilWritten(e, one, two, writers)
			}
			var stats, opens []<-chan fileResult
			var readers []*files
			for _, w := range writers { // these wait in the kernel, if the mount is stopped
				s, r := newFiles(e), newFiles(e)
				stats = append(stats, s.begin(fileCall{Op: "stat", Path: one.Path(w.name)}))
				opens = append(opens, r.begin(fileCall{Op: "open", Path: one.Path(w.name), Flags: unix.O_RDONLY}))
				readers = append(readers, r)
			}
			one.Signal(unix.SIGCONT)
			for i, w := range writers {
				theirs := theirsFor(w.name)
				if r, err := w.within(time.Minute, stats[i]); err != nil || r.N != len(theirs) {
					t.Errorf("%s: stat says %d bytes, %v, the other host wrote %d", w.name, r.N, err, len(theirs))
				}
				r, err := w.within(time.Minute, opens[i])
				if err != nil {
					t.Errorf("%s: open: %v", w.name, err)
				} else if got := readers[i].mustRead(r.N, 0, 1000); got != theirs {
					t.Errorf("%s: an open that was the first to be answered reads %.40q", w.name, got)
				}
			}
			old := 0
			for range 20 { // and as long as the writer has it open
				for i, w := range writers {
					if got, _ := readers[i].get(one.Path(w.name)); got != theirsFor(w.name) {
						old++
					}
					if r, err := w.call(fileCall{Op: "size", FD: w.fd}); err != nil || r.N != len(mineBefore) {
						t.Errorf("%s: fstat of the writer's descriptor says %d bytes, %v", w.name, r.N, err)
					}
				}
				time.Sleep(100 * time.Millisecond)
			}
			if old > 0 {
				t.Errorf("%d of %d opens show what was there before the other host's close", old, 20*len(writers))
			}
			p.Inject(nil)
			for i, w := range writers {
				appendAfterLoss(e, b, readers[i], one.Path(w.name), w.name)
				written := w.write(w.fd, 0, mineAfter)
				if closed := w.close(w.fd); written != unix.ESTALE && closed != unix.ESTALE {
					t.Errorf("%s: the writer was told nothing: write %v, close %v", w.name, written, closed)
				}
			}
		})
	}
}

// appendAfterLoss opens the file for write in another process than that which has the old one
// open, and adds a line to what the other host wrote.
func appendAfterLoss(e *harness.Env, b *harness.Bucket, f *files, path, name string) {
	e.Helper()
	want := theirsFor(name)
	var fd int
	e.Eventually(time.Minute, func() (err error) { // the lock table may have been out of reach
		fd, err = f.open(path, unix.O_RDWR)
		return err
	})
	got, err := f.read(fd, 0, 1000)
	if got != want || err != nil {
		e.Errorf("%s: an open for write reads %.40q, %v", name, got, err)
	}
	if err := f.write(fd, int64(len(got)), "more\n"); err != nil {
		e.Errorf("%s: write: %v", name, err)
	}
	if err := f.close(fd); err != nil {
		e.Errorf("%s: close: %v", name, err)
	}
	if now := b.Content(name); now != want+"more\n" {
		e.Errorf("%s: after a close with 0 the bucket has %.40q (%d bytes)", name, now, len(now))
	}
}
