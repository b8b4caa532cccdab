package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/internal/mount"
	"github.com/latchfs/latchfs/internal/statedir"
)

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
	d, err := statedir.Create(filepath.Join(state, "s"), "one", statedir.Mount{Mountpoint: mnt, PID: 4711})
	if err != nil {
		t.Fatal(err)
	}
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

// The same progress is not told every two seconds; another one is told at once.
func TestProgressOfUmount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		tell := tellProgress(&out)
		at := func(p mount.Progress) (said string) {
			p.PID = 7
			out.Reset()
			tell(p)
			time.Sleep(2 * time.Second)
			return out.String()
		}
		for i, step := range []struct {
			p    mount.Progress
			want string
		}{
			{mount.Progress{Files: 2, Bytes: 2048}, "latchfs: waiting for pid 7 to save 2.0 KiB in 2 spool files\n"},
			{mount.Progress{Files: 2, Bytes: 1024}, ""},
			{mount.Progress{Files: 1, Bytes: 1024}, ""},
			{mount.Progress{Files: 1, Bytes: 1024}, ""},
			{mount.Progress{Files: 1, Bytes: 1024}, ""},
			{mount.Progress{Files: 1, Bytes: 1024}, "latchfs: waiting for pid 7 to save 1.0 KiB in 1 spool files\n"},
			{mount.Progress{}, "latchfs: waiting for pid 7 to finish\n"},
			{mount.Progress{}, ""},
			{mount.Progress{Elsewhere: "it is elsewhere"}, "latchfs: it is elsewhere\nlatchfs: waiting for pid 7 to finish\n"},
			{mount.Progress{Elsewhere: "it is elsewhere"}, ""},
		} {
			if got := at(step.p); got != step.want {
				t.Errorf("report %d: %q, want %q", i, got, step.want)
			}
		}
	})
}
