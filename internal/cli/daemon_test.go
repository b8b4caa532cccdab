package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// childName is the name under which the test binary plays the background process.
const childName = "latchfs-child"

func TestMain(m *testing.M) {
	if os.Args[0] == childName {
		os.Exit(child(os.Args[1:]))
	}
	if os.Args[0] == becomingName || os.Args[0] == becameName {
		becoming(os.Args)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child reports whether it was started as it has to be, and then ends as its argument
// says.
func child(args []string) int {
	ready, ok := background()
	sid, _ := unix.Getsid(0)
	if _, set := os.LookupEnv(readyVar); !ok || set || sid != os.Getpid() {
		fmt.Fprintf(os.Stderr, "background %v, variable left %v, session %d of pid %d\n", ok, set, sid, os.Getpid())
		return 99
	}
	if n, err := os.Stdin.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, "standard input is not empty")
		return 98
	}
	switch args[0] {
	case "mounts":
		if err := os.WriteFile(args[1], nil, 0o600); err != nil {
			return 97
		}
		if err := ready.mounted(); err != nil {
			return 96
		}
		// From here on nobody waits: a daemon would go on.
	case "fails":
		fmt.Fprintln(os.Stderr, "latchfs: no such bucket")
		return ExitFailed
	case "killed":
		unix.Kill(os.Getpid(), unix.SIGKILL)
	case "silent":
	}
	return 0
}

func TestStartBackground(t *testing.T) {
	done := filepath.Join(t.TempDir(), "mounted")
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	start := func(args ...string) error {
		return startBackground(t.Context(), append([]string{childName}, args...), false, Stdio{Err: stderr})
	}
	if err := start("mounts", done); err != nil {
		t.Errorf("a child that mounted: %v", err)
	}
	if _, err := os.Stat(done); err != nil {
		t.Errorf("returned before the child had mounted: %v", err)
	}
	var said *reportedError
	if err := start("fails"); !errors.As(err, &said) || said.code != ExitFailed {
		t.Errorf("a child that failed: %v, want its exit code", err)
	}
	if b, _ := os.ReadFile(stderr.Name()); string(b) != "latchfs: no such bucket\n" {
		t.Errorf("standard error holds %q, want the child's line alone", b)
	}
	if err := start("killed"); err == nil || errors.As(err, &said) || !strings.Contains(err.Error(), "killed") {
		t.Errorf("a child that was killed: %v", err)
	}
	if err := start("silent"); err == nil || errors.As(err, &said) {
		t.Errorf("a child that ended without a word: %v", err)
	}
}
