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

// loseThenHang loses the answer of one request that changes an object with that end of its path,
// and lets nobody look what became of it: the caller of a rename or unlink is told EIO.
func loseThenHang(method, end string) func(*http.Request) harness.Fault {
	lost := false
	return func(r *http.Request) harness.Fault { // called with a mutex held
		switch {
		case !strings.HasSuffix(r.URL.Path, end) || strings.Contains(r.URL.Path, "-locks/"):
			return harness.Pass
		case r.Method == method && !lost:
			lost = true
			return harness.LoseReply
		case lost:
			return harness.Hang
		}
		return harness.Pass
	}
}

// A rename is answered EIO because nobody can tell whether one of its steps was made, and later
// that turns out. The descriptors of the file go with it to the name that it has then: the name
// shows their inode and size, and what they write is saved under it.
// SEMANTICS G1, G5
func TestRenameThatLandsLater(t *testing.T) {
	t.Parallel()
	for _, step := range []struct {
		name, method, key string
		wants             []string // the keys that there may be
	}{
		// After EIO nothing is sent any more: without its delete the rename was not made.
		{"copy", "PUT", "/new", []string{"[new old]", "[new]"}},
		{"delete", "DELETE", "/old", []string{"[new]"}},
	} {
		t.Run(step.name, func(t *testing.T) {
			t.Parallel()
			e := suite.New(t)
			b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
			p := b.Proxy()
			h := b.Through(p.URL).Mount("one", "--metadata-ttl", "100ms").Expect(outage + "|outcome|refused")
			w, r, other := newFiles(e), newFiles(e), newFiles(e)
			w.mustPut(h.Path("old"), "one\n")
			wfd := w.mustOpen(h.Path("old"), unix.O_RDWR)
			rfd := r.mustOpen(h.Path("old"), unix.O_RDONLY)
			p.Inject(loseThenHang(step.method, step.key))
			if _, err := other.call(fileCall{Op: "rename", Path: h.Path("old"), To: h.Path("new")}); err != unix.EIO {
				t.Errorf("rename whose answer was lost: %v, want EIO", err)
			}
			p.Inject(nil)
			time.Sleep(2 * b.Times.Delay) // until nothing of it can land
			keys := fmt.Sprint(b.KeysBelow(""))
			if !slices.Contains(step.wants, keys) {
				t.Fatalf("the bucket has %s, want one of %q", keys, step.wants)
			}
			name := "new"
			if strings.Contains(keys, "old") {
				name = "old"
			}
			// A look that hung is given up after a while: then the mount knows too.
			e.Eventually(30*time.Second, func() error { return sameFile(w, wfd, other, h.Path(name)) })
			w.mustWrite(wfd, 4, "two\n")
			for who, fd := range map[*files]int{w: wfd, r: rfd} {
				if err := sameFile(who, fd, other, h.Path(name)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if got := r.mustRead(rfd, 0, 100); got != "one\ntwo\n" {
				t.Errorf("the reader, which follows the writer here, reads %q", got)
			}
			if s, err := other.call(fileCall{Op: "stat", Path: h.Path(name)}); err != nil || s.N != 8 {
				t.Errorf("%s has %d bytes, %v, its writer wrote 8", name, s.N, err)
			}
			if got, err := other.get(h.Path(name)); got != "one\ntwo\n" {
				t.Errorf("an open of %s reads %q, %v", name, got, err)
			}
			w.mustClose(wfd)
			if got := contentNow(e, b, name); got != "one\ntwo\n" {
				t.Errorf("the bucket has %q", got)
			}
			if now := fmt.Sprint(b.KeysBelow("")); now != keys {
				t.Errorf("after the close the bucket has %s", now)
			}
		})
	}
}

// sameFile fails unless a descriptor and a name have one inode.
func sameFile(f *files, fd int, g *files, path string) error {
	a, err := f.call(fileCall{Op: "fino", FD: fd})
	if err != nil {
		return fmt.Errorf("fstat: %w", err)
	}
	b, err := g.call(fileCall{Op: "ino", Path: path})
	if err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	if a.N != b.N {
		return fmt.Errorf("the descriptor has inode %d, the name %d", a.N, b.N)
	}
	return nil
}

// An unlink is answered EIO because nobody can tell whether it was made, and later it turns out
// that it was. Then the name is free for another file, and what the descriptors of the removed one
// write goes nowhere.
// SEMANTICS G1
func TestUnlinkThatLandsLater(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one", "--metadata-ttl", "100ms").Expect(outage + "|outcome|refused")
	w, other := newFiles(e), newFiles(e)
	w.mustPut(h.Path("f"), "one\n")
	fd := w.mustOpen(h.Path("f"), unix.O_RDWR)
	p.Inject(loseThenHang("DELETE", "/f"))
	if _, err := other.call(fileCall{Op: "unlink", Path: h.Path("f")}); err != unix.EIO {
		t.Errorf("unlink whose answer was lost: %v, want EIO", err)
	}
	p.Inject(nil)
	e.Eventually(30*time.Second, func() error {
		_, err := other.call(fileCall{Op: "stat", Path: h.Path("f")})
		if err != unix.ENOENT {
			return fmt.Errorf("the object is gone (%t), and stat of the name: %w", len(b.KeysBelow("f")) == 0, err)
		}
		return nil
	})
	e.Eventually(30*time.Second, func() error { return other.put(h.Path("f"), "another\n") })
	if err := sameFile(w, fd, other, h.Path("f")); err == nil {
		t.Error("the new file has the inode of the removed one")
	}
	w.mustWrite(fd, 4, "two\n")
	if got := w.mustRead(fd, 0, 100); got != "one\ntwo\n" {
		t.Errorf("the descriptor of the removed file reads %q", got)
	}
	w.mustClose(fd)
	if got := contentNow(e, b, "f"); got != "another\n" {
		t.Errorf("the bucket has %q", got)
	}
	if keys := b.KeysBelow(""); len(keys) != 1 {
		t.Errorf("the bucket has %q", keys)
	}
}
