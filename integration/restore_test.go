package integration

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// runs runs a command of latchfs on a host, and fails unless it has that exit code.
func runs(h *harness.Host, code int, args ...string) harness.Output {
	h.Helper()
	o := h.Start(h.Command(args...)).Wait(2 * time.Minute)
	if o.Code != code {
		h.Errorf("latchfs %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), o.Code, code, o.Out, o.Err)
	}
	return o
}

// SEMANTICS G1, G3, G4: restore, undelete and undo beside mounts that read and write the files.
func TestRestoreBesideMounts(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	f := newFiles(e)
	one, two := b.Mount("one", "--metadata-ttl", "0"), b.Mount("two")
	is := func(want string) {
		t.Helper()
		if got := f.mustGet(one.Path("f")); got != want {
			t.Errorf("one reads %q, want %q", got, want)
		}
		e.Eventually(5*time.Second, func() error { // its --metadata-ttl
			if got, err := os.ReadFile(two.Path("f")); string(got) != want {
				return fmt.Errorf("two reads %q, %v; want %q", got, err, want)
			}
			return nil
		})
	}
	f.mustPut(one.Path("f"), "first")
	e.Must(os.Chmod(one.Path("f"), 0o640))
	f.mustPut(one.Path("f"), "second")
	e.Must(os.Chmod(one.Path("f"), 0o600))

	// A reader keeps what it has open.
	fd := f.mustOpen(two.Path("f"), unix.O_RDONLY)
	runs(one, 0, "restore", one.Path("f"))
	is("first")
	if i, err := os.Stat(one.Path("f")); err != nil || i.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", i.Mode(), err)
	}
	if got := f.mustRead(fd, 0, 100); got != "second" {
		t.Errorf("the reader has %q", got)
	}
	f.mustClose(fd)

	// Without a mount, by the bucket's name; then twice back.
	source := "s3://" + b.Name + "/f"
	if o := b.Latchfs(append([]string{"undo", source, "--json"}, b.ConnectionFlags()...)...); o.Code != 0 || !strings.Contains(o.Out, `"action":"restore"`) {
		t.Errorf("undo: %+v", o)
	}
	is("second")
	e.Must(os.Remove(two.Path("f")))
	id := b.VersionsOf("f")[0].ID
	runs(two, 0, "undelete", two.Path("f"))
	is("second")
	if got := b.VersionsOf("f")[0].ID; got != id {
		t.Errorf("undelete has made version %s of %s", got, id)
	}

	// A name to give has no version in it.
	n := len(b.VersionsOf("f"))
	runs(one, 0, "restore", one.Path("f"), "--to", one.Path("f@old"))
	for _, view := range []string{".versions/f", ".versions/f/@first", ".versions/@/2h/f"} {
		if o := runs(one, 2, "restore", one.Path("f"), "--to", one.Path(view)); !strings.Contains(o.Err, "among the versions") {
			t.Errorf("--to %s: %s", view, o.Err)
		}
	}
	if got := f.mustGet(one.Path("f@old")); got != "first" || len(b.VersionsOf("f")) != n {
		t.Errorf("f@old has %q, and f %d versions, want %d", got, len(b.VersionsOf("f")), n)
	}

	// Who has it open for write on any host, this one included, is waited for and named.
	fd = f.mustOpen(one.Path("f"), unix.O_RDWR)
	for _, h := range []*harness.Host{one, two} {
		if o := runs(h, 5, "restore", "--lock-timeout", "300ms", h.Path("f")); !strings.Contains(o.Err, "locked at one") {
			t.Errorf("the holder is not named: %s", o.Err)
		}
	}
	f.mustWrite(fd, 0, "SECOND")
	// It has made up its mind when it wishes for the lock.
	proxy := b.Proxy()
	through := b.Through(proxy.URL)
	p := e.Start(two.Command(append([]string{"restore", source + "@~1"}, through.ConnectionFlags()...)...))
	e.Eventually(time.Minute, func() error {
		return some(proxy.Seen(func(r harness.Request) bool {
			return r.Method == http.MethodPut && strings.Contains(r.Path, "/v1/mail/")
		}), "wish")
	})
	f.mustClose(fd)
	if o := p.Wait(time.Minute); o.Code != 4 {
		t.Errorf("restore beside a save: %+v", o)
	}
	is("SECOND")

	// A deleted directory comes back with what was in it.
	e.Sh(one.Path(), "mkdir -m 700 d && echo x > d/x && ln -s x d/l && rm -r d")
	runs(two, 0, "undelete", "-r", two.Path("d"))
	e.Sh(one.Path(), `test "$(cat d/l)" = x && test "$(stat -c %a d)" = 700`)
}

// restore -r --delete is stopped by kill -9 in the middle, and run again by another process.
func TestRestoreTreeKilled(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Mortal)
	one := b.Mount("one", "--metadata-ttl", "0")
	kept := filepath.Join(e.Dir, "kept")
	e.Sh(one.Path(), fmt.Sprintf(`mkdir d d/empty d/sub && cd d &&
		for i in $(seq 60); do echo $i > f$i; done; echo sub > sub/x; ln -s f1 link; echo was > turned; mkdir turns; echo in > turns/in
		chmod 600 f7 && cp -a . %s`, kept))
	time.Sleep(1100 * time.Millisecond)
	at := time.Now().UTC().Format(time.RFC3339)
	time.Sleep(1100 * time.Millisecond)
	e.Sh(one.Path("d"), `for i in $(seq 1 2 60); do echo changed > f$i; done; rm f2 f4 f6; rmdir empty; rm -r sub; echo new > new; mkdir newdir; echo x > newdir/x
		chmod 644 f7; rm turned; mkdir turned; echo x > turned/x; rm -r turns; echo file > turns`)

	proxy := b.Proxy()
	var copies atomic.Int64
	stopped := make(chan struct{})
	proxy.Inject(func(r *http.Request) harness.Fault {
		if r.Method != http.MethodPut || r.Header.Get("X-Amz-Copy-Source") == "" {
			return harness.Pass
		}
		switch n := copies.Add(1); {
		case n == 12:
			close(stopped)
			return harness.Halt
		case n > 12:
			return harness.Halt
		}
		return harness.Pass
	})
	through := b.Through(proxy.URL)
	program, err := e.Suite.Latchfs()
	e.Must(err)
	cmd := exec.Command(program, append([]string{"restore", "-r", "--delete", "s3://" + b.Name + "/d@" + at}, through.ConnectionFlags()...)...)
	cmd.Env = b.Environ()
	p := e.Start(cmd)
	select {
	case <-stopped:
		e.Must(cmd.Process.Kill())
	case <-p.Done():
	}
	if o := p.Wait(time.Minute); o.Code >= 0 {
		t.Fatalf("it ended by itself: %+v", o)
	}
	proxy.Resume()
	if o := e.TrySh(e.Dir, fmt.Sprintf("diff -r --no-dereference %s %s", kept, one.Path("d"))); o.Code == 0 {
		t.Error("it was all done before it was killed")
	}

	// The killed command has up to 64 names locked, until its session is seen to be silent: a loaded machine takes longer
	// to see that than the default of two leases and delays.
	runs(one, 0, "restore", "-r", "--delete", "--lock-timeout", "1m", one.Path("d")+"@"+at)
	e.Sh(e.Dir, fmt.Sprintf("diff -r --no-dereference %s %s", kept, one.Path("d")))
	e.Sh(one.Path("d"), "test $(stat -c %a f7) = 600 && test -d empty")
	e.Sh(one.Path(), fmt.Sprintf("diff -r --no-dereference .versions/@/%s/d d", at))
	if o := runs(one, 0, "restore", "-r", "--delete", one.Path("d")+"@"+at); !strings.Contains(o.Err, "0 of 0 changed") {
		t.Errorf("run once more: %s", o.Err)
	}
}

// SEMANTICS G1: what a foreign client saves between the plan and the copy stays, whatever the server does
// with conditions of copies.
func TestRestoreBesideForeignWriter(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Mortal)
	proxy := b.Proxy()
	for _, text := range []string{"first", "second"} {
		e.Must(b.S3.Put(context.Background(), "f", text))
	}
	var once atomic.Bool
	proxy.Inject(func(r *http.Request) harness.Fault {
		if r.Header.Get("X-Amz-Copy-Source") != "" && !harness.OfProbe(r) && !once.Swap(true) {
			e.Must(b.S3.Put(context.Background(), "f", "theirs"))
		}
		return harness.Pass
	})
	args := append([]string{"restore", "s3://" + b.Name + "/f"}, b.Through(proxy.URL).ConnectionFlags()...)
	if o := b.Latchfs(args...); o.Code != 4 || !strings.Contains(o.Err, "somebody saved") {
		t.Errorf("%+v", o)
	}
	if got := b.Content("f"); got != "theirs" {
		t.Errorf("f is %q", got)
	}
	// A lost answer is found by the write id.
	once.Store(false)
	proxy.Inject(func(r *http.Request) harness.Fault {
		if r.Header.Get("X-Amz-Copy-Source") != "" && !once.Swap(true) {
			return harness.LoseReply
		}
		return harness.Pass
	})
	if o := b.Latchfs(args...); o.Code != 0 || b.Content("f") != "second" || len(b.VersionsOf("f")) != 4 {
		t.Errorf("%+v, f is %q in %d versions", o, b.Content("f"), len(b.VersionsOf("f")))
	}
}

// LOCKS P4: the first Ctrl-C waits for what was sent, the second one leaves it; then nobody gets the file
// before nothing can come of that any more.
func TestRestoreInterrupted(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Mortal)
	for _, text := range []string{"first", "second", "third"} {
		e.Must(b.S3.Put(context.Background(), "f", text))
	}
	proxy := b.Proxy()
	sent := make(chan struct{}, 9)
	proxy.Inject(func(r *http.Request) harness.Fault {
		if r.Header.Get("X-Amz-Copy-Source") == "" || harness.OfProbe(r) {
			return harness.Pass
		}
		sent <- struct{}{}
		return harness.Halt
	})
	program, err := e.Suite.Latchfs()
	e.Must(err)
	cmd := exec.Command(program, append([]string{"restore", "s3://" + b.Name + "/f"}, b.Through(proxy.URL).ConnectionFlags()...)...)
	cmd.Env = b.Environ()
	p := e.Start(cmd)
	<-sent
	e.Must(cmd.Process.Signal(unix.SIGINT))
	select {
	case <-p.Done():
		t.Error("the first signal did not wait for what was sent")
	case <-time.After(300 * time.Millisecond):
	}
	e.Must(cmd.Process.Signal(unix.SIGINT))
	if o := p.Wait(5 * time.Second); o.Code != 1 || !strings.Contains(o.Err, "interrupted: nothing more is begun") || !strings.Contains(o.Err, "may have been changed or not") {
		t.Errorf("%+v", o)
	}
	undo := append([]string{"undo", "--lock-timeout", "200ms", "s3://" + b.Name + "/f"}, b.ConnectionFlags()...)
	if o := b.Latchfs(undo...); o.Code != 5 {
		t.Errorf("while something could still land: %+v", o)
	}
	proxy.Resume()
	if o := b.Latchfs(append([]string{"restore", "s3://" + b.Name + "/f@first"}, b.ConnectionFlags()...)...); o.Code != 0 || b.Content("f") != "first" {
		t.Errorf("%+v, f is %q", o, b.Content("f"))
	}
}
