package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/internal/statedir"
)

func session(t *testing.T, state, name string, m statedir.Mount) *statedir.Dir {
	t.Helper()
	d, err := statedir.Create(state, name, m)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFindSession(t *testing.T) {
	state := t.TempDir()
	find := func(device string) string {
		t.Helper()
		s, err := findSession(state, "/mnt/a", device)
		if err != nil {
			t.Fatal(err)
		}
		if s == nil {
			return ""
		}
		return s.Name
	}
	if got := find("0:50"); got != "" {
		t.Errorf("found %s in an empty state directory", got)
	}
	// A name that sorts first must not win over the one that lives.
	dead := session(t, state, "a-dead", statedir.Mount{Mountpoint: "/mnt/a", Device: "0:50"})
	dead.Close()
	defer session(t, state, "b-other", statedir.Mount{Mountpoint: "/mnt/b", Device: "0:50"}).Remove()
	if got := find("0:50"); got != "a-dead" {
		t.Errorf("a dead mount: found %q", got)
	}
	live := session(t, state, "c-live", statedir.Mount{Mountpoint: "/mnt/a", Device: "0:50"})
	defer live.Remove()
	finishing := session(t, state, "d-finishing", statedir.Mount{Mountpoint: "/mnt/a"})
	defer finishing.Remove()
	if got := find("0:50"); got != "c-live" {
		t.Errorf("a live mount beside a dead one with its number: found %q", got)
	}
	if got := find("0:51"); got != "" {
		t.Errorf("a mount of another state directory: found %q", got)
	}
	if err := live.Update(func(m *statedir.Mount) { m.Mountpoint = "/mnt/c" }); err != nil {
		t.Fatal(err)
	}
	if got := find(""); got != "d-finishing" {
		t.Errorf("nothing mounted, one still finishing: found %q", got)
	}
}

func TestUmountOfWhatIsNotMounted(t *testing.T) {
	state, dir := t.TempDir(), t.TempDir()
	for path, says := range map[string]string{
		dir:                        "nothing is mounted at",
		filepath.Join(dir, "no"):   "nothing is mounted at",
		filepath.Join(dir, "a/no"): "no such file",
		"/proc":                    "not of latchfs",
	} {
		var errs bytes.Buffer
		code := Run(t.Context(), []string{"latchfs", "umount", "--state-dir", state, path}, Stdio{Out: &errs, Err: &errs})
		if code != ExitFailed || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), says) {
			t.Errorf("%s: exit code %d, %q; want %q", path, code, errs.String(), says)
		}
	}
}

func TestUmountWaitsForTheDaemonThatFinishes(t *testing.T) {
	state, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	mnt := filepath.Join(state, "mnt")
	if err := os.Mkdir(mnt, 0o700); err != nil {
		t.Fatal(err)
	}
	d := session(t, filepath.Join(state, "s"), "one", statedir.Mount{Mountpoint: mnt, PID: 4711})
	if err := os.Mkdir(filepath.Join(d.Spool(), "f-000001"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Spool(), "f-000001", "data"), make([]byte, 2048), 0o600); err != nil {
		t.Fatal(err)
	}
	out := &removeOnProgress{t: t, dir: d}
	if code := Run(t.Context(), []string{"latchfs", "umount", "--state-dir", filepath.Join(state, "s"), mnt}, Stdio{Out: out, Err: out}); code != ExitOK {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(out.said, "pid 4711") || !strings.Contains(out.said, "2.0 KiB") {
		t.Errorf("progress: %q", out.said)
	}
}

// removeOnProgress ends the session when umount says that it waits for it.
type removeOnProgress struct {
	t    *testing.T
	dir  *statedir.Dir
	said string
}

func (w *removeOnProgress) Write(p []byte) (int, error) {
	if w.said == "" {
		if err := w.dir.Remove(); err != nil {
			w.t.Error(err)
		}
	}
	w.said += string(p)
	return len(p), nil
}
