package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseMountinfo(t *testing.T) {
	const in = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
36 22 0:52 / /mnt/with\040space rw,nosuid,nodev - fuse.latchfs s3://b/a\134b rw,user_id=0
37 22 0:53 /sub /x rw master:1 propagate_from:2 - tmpfs tmpfs rw
`
	got, err := parseMountinfo(strings.NewReader(in))
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	want := mounted{Device: "0:52", Mountpoint: "/mnt/with space", Type: "fuse.latchfs", Source: `s3://b/a\b`}
	if got[1] != want || !got[1].ours() || got[2].ours() || got[2].Mountpoint != "/x" {
		t.Errorf("%+v", got)
	}
	if _, err := parseMountinfo(strings.NewReader("36 22 0:52 / /mnt\n")); err == nil {
		t.Error("a line without a separator is read")
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

func TestUsersAreNamed(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if got := users(dir, 3); len(got) != 0 {
		t.Errorf("users of an unused directory: %v", got)
	}
	f, err := os.Create(filepath.Join(dir, "open"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sleeper := exec.Command("sleep", "60")
	sleeper.ExtraFiles = []*os.File{f}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer sleeper.Wait()
	defer sleeper.Process.Kill()
	want := fmt.Sprintf("sleep (pid %d)", sleeper.Process.Pid)
	if got := users(dir, 3); len(got) != 1 || got[0] != want {
		t.Errorf("users of a directory with an open file: %v, want %s", got, want)
	}
	if got := users(dir[:len(dir)-1], 3); len(got) != 0 {
		t.Errorf("users of another path with the same beginning: %v", got)
	}
}
