package serve

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func lockUsers(t *testing.T, dir string, how int) (*os.File, error) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, usersFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
}

// The time of grace counts from when the last user was seen, and ends with the flock
// held, so that a user who comes then waits for the server to be gone.
func TestDeserted(t *testing.T) {
	dir := t.TempDir()
	w, err := watchUsers(dir, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	now := time.Now()
	at := func(seconds int, want bool) {
		t.Helper()
		got, err := w.deserted(now.Add(time.Duration(seconds) * time.Second))
		if err != nil || got != want {
			t.Errorf("after %d s: %v, %v", seconds, got, err)
		}
	}
	at(0, false)
	at(9, false)
	user, err := lockUsers(t, dir, unix.LOCK_SH)
	if err != nil {
		t.Fatal("a user is kept out although the server stays:", err)
	}
	at(11, false)
	at(30, false)
	user.Close()
	at(31, false)
	at(40, false)
	at(41, true)
	if _, err := lockUsers(t, dir, unix.LOCK_SH); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("a user comes in while the server leaves: %v", err)
	}
}

func TestTakeFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	f, err := takeFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := takeFolder(dir); !errors.Is(err, ErrServed) {
		t.Errorf("taken twice: %v", err)
	}
	f.Close()
	f, err = takeFolder(dir)
	if err != nil {
		t.Fatal("taken after it was given back:", err)
	}
	f.Close()
}

func TestAccess(t *testing.T) {
	dir := t.TempDir()
	a, err := loadAccess(dir)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := loadAccess(t.TempDir()); a.SecretKey == b.SecretKey || a.AccessKey == b.AccessKey {
		t.Error("two folders have the same keys")
	}
	a.Address = "127.0.0.1:1234"
	if err := a.save(dir); err != nil {
		t.Fatal(err)
	}
	if b, err := loadAccess(dir); err != nil || a != b || b.port() != 1234 {
		t.Errorf("saved %+v, loaded %+v, %v", a, b, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v is left beside server.json, %v", entries, err)
	}
	i, err := os.Stat(filepath.Join(dir, accessFile))
	if err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("server.json: %v, %v", i.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(dir, accessFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadAccess(dir); err == nil || !strings.Contains(err.Error(), accessFile) {
		t.Errorf("a broken server.json: %v", err)
	}
	if p := (Access{Address: "nonsense"}).port(); p != 0 {
		t.Errorf("the port of nonsense is %d", p)
	}
}
