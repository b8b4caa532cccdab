package mount

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/internal/volume"
)

func TestCheckMountpoint(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		filepath.Join(dir, "absent"):      "mkdir -p",
		filepath.Join(dir, "absent", "x"): "mkdir -p",
		filepath.Join(dir, "my photos"):   "run mkdir -p '" + filepath.Join(dir, "my photos") + "'",
		file:                              "not a directory",
		"/proc":                           "busy",
		dir:                               "not empty",
	} {
		if _, err := checkMountpoint(path, log); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v; want its name and %q", path, err, says)
		}
	}
	if got, err := checkMountpoint(t.TempDir(), log); err != nil || got == "" {
		t.Errorf("an empty directory: %q, %v", got, err)
	}
}

func TestResolveMountpoint(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	real := filepath.Join(dir, "real")
	must(os.Mkdir(real, 0o755))
	must(os.Symlink("real", filepath.Join(dir, "relative")))
	must(os.Symlink(filepath.Join(dir, "relative"), filepath.Join(dir, "twice")))
	must(os.Symlink("loop", filepath.Join(dir, "loop")))
	for in, want := range map[string]string{
		real: real, real + "/": real, dir + "/relative": real, dir + "/twice": real,
		dir + "/absent": dir + "/absent", "/": "/", "/proc": "/proc",
	} {
		if got, err := resolveMountpoint(in); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{dir + "/loop", dir + "/absent/x"} {
		if got, err := resolveMountpoint(in); err == nil {
			t.Errorf("%s resolves to %s", in, got)
		}
	}
}

func TestNothingOfTheMountLiesInIt(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		o  Options
		ok bool
	}{
		{Options{Mountpoint: dir, StateDir: "/elsewhere"}, true},
		{Options{Mountpoint: dir, StateDir: dir + "-beside"}, true},
		{Options{Mountpoint: dir, StateDir: filepath.Join(dir, "not", "yet")}, false},
		{Options{Mountpoint: dir, StateDir: dir}, false},
		{Options{Mountpoint: dir, StateDir: "/elsewhere", Source: volume.Source{Local: filepath.Join(dir, "data")}}, false},
		{Options{Mountpoint: filepath.Join(dir, "mnt"), StateDir: "/elsewhere", Source: volume.Source{Local: dir}}, true},
	} {
		if err := checkOutside(c.o); (err == nil) != c.ok {
			t.Errorf("mount point %s, state %s, local %s: %v", c.o.Mountpoint, c.o.StateDir, c.o.Source.Local, err)
		}
	}
}
