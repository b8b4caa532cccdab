package mount

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestUsersAreNamed(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if got := users(dir); len(got) != 0 {
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
	if got := users(dir); len(got) != 1 || got[0] != want {
		t.Errorf("users of a directory with an open file: %v, want %s", got, want)
	}
	if got := users(dir[:len(dir)-1]); len(got) != 0 {
		t.Errorf("users of another path with the same beginning: %v", got)
	}
}
