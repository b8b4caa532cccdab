package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// A name that changes each time somebody looks at it: the kernel repeats an open that was
// answered ESTALE once, and what the second one finds is what the program gets, its size
// and its bytes of one version.
// SEMANTICS G3
func TestOpenOfWhatAlwaysChanges(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one")
	f := newFiles(e)
	content := func(n int64) string { return strings.Repeat(fmt.Sprintf("%04d", n), int(n)) }
	var n atomic.Int64
	n.Store(1)
	change := func() {
		if err := b.S3.Put(context.Background(), "f", content(n.Add(1))); err != nil {
			t.Error(err)
		}
	}
	change()
	p.Inject(func(r *http.Request) harness.Fault {
		if r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "/f") {
			change()
		}
		return harness.Pass
	})
	for _, how := range []int{unix.O_RDONLY, unix.O_RDWR, unix.O_RDWR | unix.O_CREAT, unix.O_RDWR | unix.O_APPEND} {
		for range 5 {
			began := n.Load()
			fd, err := f.open(h.Path("f"), how)
			if err != nil {
				t.Fatalf("open with %#o: %v", how, err)
			}
			size, err := f.call(fileCall{Op: "size", FD: fd})
			got := f.mustRead(fd, 0, 1<<20)
			var version int64
			fmt.Sscanf(got[:4], "%d", &version)
			if err != nil || size.N != len(got) || got != content(version) || version < began {
				t.Errorf("open with %#o: size %d, %d bytes of version %d, not older than %d; %v", how, size.N, len(got), version, began, err)
			}
			f.close(fd)
		}
	}
}

// rivalProgram does one thing to a file for some time, and fails at an errno that it has to
// tell nobody's user: create opens with O_CREAT and appends, remove, replace renames over
// it, read opens a file that is always there, append and chmod change one.
func rivalProgram(args []string) int {
	what, path := args[0], args[1]
	limit, err := time.ParseDuration(args[2])
	if err != nil {
		return 2
	}
	do := map[string]func() error{
		"create": func() error { return appendLine(path, "x\n") },
		"remove": func() error { return unix.Unlink(path) },
		"read": func() error {
			fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			unix.Close(fd)
			return err
		},
		"chmod": func() error { return unix.Chmod(path, 0o600|uint32(time.Now().UnixNano())&0o77) },
		"append": func() error {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("x\n")
			return errors.Join(err, f.Close())
		},
		"replace": func() error {
			if err := os.WriteFile(path+".new", []byte(time.Now().String()), 0o644); err != nil {
				return err
			}
			return unix.Rename(path+".new", path)
		},
	}[what]
	allowed := map[string][]error{"create": {unix.EBUSY}, "remove": {unix.EBUSY, unix.ENOENT}, "replace": {unix.EBUSY}, "chmod": {unix.EBUSY}}[what]
	for began := time.Now(); time.Since(began) < limit; {
		err := do()
		if err != nil && !slices.ContainsFunc(allowed, func(a error) bool { return errors.Is(err, a) }) {
			fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
			return 1
		}
	}
	return 0
}

// Programs that make, remove, and replace one name on two hosts are told nothing of each
// other but EBUSY: a file that is there opens, and O_CREAT always finds or makes one.
// SEMANTICS G4
func TestOpenAmongRemovals(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	hosts := []*harness.Host{b.Mount("one"), b.Mount("two")}
	var programs []*harness.Process
	for _, h := range hosts {
		h.Expect("refused")
		programs = append(programs,
			e.Program("rival", "create", h.Path("c"), "2s"),
			e.Program("rival", "remove", h.Path("c"), "2s"),
		)
	}
	e.Sh(hosts[0].Mountpoint, "echo 1 > r")
	programs = append(programs,
		e.Program("rival", "replace", hosts[0].Path("r"), "2s"),
		e.Program("rival", "read", hosts[0].Path("r"), "2s"),
		e.Program("rival", "read", hosts[1].Path("r"), "2s"),
		e.Program("rival", "append", hosts[0].Path("r"), "2s"),
		e.Program("rival", "append", hosts[0].Path("r"), "2s"),
		e.Program("rival", "chmod", hosts[0].Path("r"), "2s"),
		e.Program("rival", "chmod", hosts[1].Path("r"), "2s"),
	)
	for _, p := range programs {
		if o := p.Wait(time.Minute); o.Code != 0 {
			t.Errorf("%s", o.Err)
		}
	}
}
