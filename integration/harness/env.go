package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An Env is what one test has to itself: a directory and everything it starts. At the
// end of the test it ends what still runs and fails the test for what was left.
type Env struct {
	testing.TB
	Suite *Suite
	Dir   string

	processes []*Process
	hosts     []*Host
	proxies   []*Proxy
	servers   []*child
}

// New makes the test's environment.
func (s *Suite) New(t testing.TB) *Env {
	t.Helper()
	dir, err := os.MkdirTemp(s.root, fileName(t.Name())+"-")
	if err != nil {
		t.Fatal(err)
	}
	e := &Env{TB: t, Suite: s, Dir: dir}
	t.Cleanup(e.close)
	return e
}

// fileName makes a file name of the name of a test or a server.
func fileName(name string) string { return strings.Map(fileNameRune, name) }

func fileNameRune(r rune) rune {
	if r == '/' || r == ' ' {
		return '_'
	}
	return r
}

// close runs after the test's own clean-up functions. Programs end before the mounts
// they use, and mounts before the proxies and servers that they need to save what they have.
func (e *Env) close() {
	mounts := map[*Process]bool{}
	for _, h := range e.hosts {
		mounts[h.process] = true
	}
	for _, p := range e.processes {
		if !mounts[p] {
			p.kill()
		}
	}
	for _, p := range e.proxies {
		p.Inject(nil)
	}
	for _, h := range e.hosts {
		h.finish()
	}
	for _, p := range e.proxies {
		p.close()
	}
	for _, c := range e.servers {
		if err := c.stop(); err != nil {
			e.Error(err)
		}
	}
	for _, h := range e.hosts {
		h.checkLeft()
	}
	if e.Failed() {
		for _, h := range e.hosts {
			h.dumpLog()
		}
	}
	if left, _ := os.ReadDir(filepath.Join(e.Dir, "tmp")); len(left) > 0 {
		e.Errorf("left behind in TMPDIR: %v", left)
	}
	if left := mountsBelow(e.Dir); len(left) > 0 {
		e.Errorf("left behind: %s", strings.Join(left, ", "))
		return
	}
	if os.Getenv("LATCHFS_TEST_KEEP") == "" {
		if err := os.RemoveAll(e.Dir); err != nil {
			e.Error(err)
		}
	}
}

// Must fails the test at once where err is not nil.
func (e *Env) Must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// Mkdir makes a directory of the test's own.
func (e *Env) Mkdir(name string) string {
	e.Helper()
	dir := filepath.Join(e.Dir, name)
	e.Must(os.MkdirAll(dir, 0o755))
	return dir
}

// Eventually waits until ok returns nil and fails the test with its last error when that takes
// longer than limit. It is for what the program does in the background after a call.
func (e *Env) Eventually(limit time.Duration, ok func() error) {
	e.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			e.Fatalf("not within %s: %v", limit, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Timeout is a context that ends with the test, at the latest after d.
func (e *Env) Timeout(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeoutCause(e.Context(), d, fmt.Errorf("not done within %s", d))
	e.Cleanup(cancel)
	return ctx
}
