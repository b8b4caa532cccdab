package integration

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// outage is what the log of a host may say that cannot save.
const outage = "saving a file goes on|spool|EIO|EACCES|recover|unknown|unanswered|not in the bucket"

// fsyncTwice makes a program write and fsync twice, both times in vain because the bucket is
// out of reach. It returns the descriptor.
func fsyncTwice(e *harness.Env, h *harness.Host, p *harness.Proxy, fault harness.Fault, f *files, name string) int {
	e.Helper()
	f.mustPut(h.Path(name), "old\n")
	fd := f.mustOpen(h.Path(name), unix.O_RDWR)
	p.Inject(on("/"+name, fault))
	for _, line := range []string{"first\n", "second\n"} {
		r, err := f.call(fileCall{Op: "size", FD: fd})
		e.Must(err)
		f.mustWrite(fd, int64(r.N), line)
		if err := f.fsync(fd); err != unix.EIO {
			e.Errorf("fsync of %q in an outage: %v, want EIO", line, err)
		}
	}
	return fd
}

// What fsync answered EIO for goes on being saved, also what was written while an earlier
// commit of the file was under way: it is in the bucket when that is back, without another
// call of the program.
// SEMANTICS G5; LOCKS P4.4
func TestEveryFsyncGoesOn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault harness.Fault
	}{{"refused", harness.Refuse}, {"silent", harness.Hang}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := suite.New(t)
			b := e.Bucket(harness.OnDynamoDB, harness.Brief)
			p := b.Proxy()
			h := b.Through(p.URL).Mount("one").Expect(outage)
			f := newFiles(e)
			fd := fsyncTwice(e, h, p, tt.fault, f, "f")
			p.Inject(nil)
			e.Eventually(30*time.Second, func() error { return equal(b.Content("f"), "old\nfirst\nsecond\n") })
			f.mustClose(fd)
			if keys := b.KeysBelow("f."); len(keys) != 0 {
				t.Errorf("an outage made %q", keys)
			}
		})
	}
}

// The same when the mount is killed in between: the next one commits what both calls asked
// for under the file's own name, in order.
// SEMANTICS G5; LOCKS P4.4, P6
func TestEveryFsyncIsRecovered(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Brief)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one").Expect(outage)
	fsyncTwice(e, h, p, harness.Refuse, newFiles(e), "f")
	h.Kill()
	p.Inject(nil)
	h.Mount()
	e.Eventually(30*time.Second, func() error {
		if keys := b.KeysBelow("f."); len(keys) != 0 {
			e.Fatalf("what fsync had asked to save became %q, and f is %q", keys, b.Content("f"))
		}
		return equal(b.Content("f"), "old\nfirst\nsecond\n")
	})
}

// A close answers with an error as long as what its program wrote is not in the bucket, though
// an fsync has said so before: after a refusal, and while an earlier commit goes on.
// SEMANTICS G5; LOCKS P4.4
func TestCloseSaysWhatFsyncSaid(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault harness.Fault
		want  error
	}{{harness.Denied, unix.EACCES}, {harness.Refuse, unix.EIO}} {
		t.Run(fmt.Sprint(tt.want), func(t *testing.T) {
			t.Parallel()
			e := suite.New(t)
			b := e.Bucket(harness.OnDynamoDB, harness.Brief)
			p := b.Proxy()
			h := b.Through(p.URL).Mount("one").Expect(outage)
			f := newFiles(e)
			f.mustPut(h.Path("f"), "old\n")
			fd := f.mustOpen(h.Path("f"), unix.O_RDWR)
			f.mustWrite(fd, 0, "new\n")
			p.Inject(on("/f", tt.fault))
			for range 2 {
				if err := f.fsync(fd); err != tt.want {
					t.Errorf("fsync: %v, want %v", err, tt.want)
				}
			}
			dup, err := f.call(fileCall{Op: "dup", FD: fd})
			e.Must(err)
			for range 2 { // each close of the file, also of what was duplicated
				if err := f.close(fd); err != tt.want {
					t.Errorf("close: %v, want %v, the bucket has %q", err, tt.want, b.Content("f"))
				}
				fd = dup.N
			}
			p.Inject(nil)
			h.Signal(unix.SIGTERM)
			h.WaitEnd(30 * time.Second)
			h.Mount()
			e.Eventually(30*time.Second, func() error { return equal(b.Content("f"), "new\n") })
		})
	}
}
