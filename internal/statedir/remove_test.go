package statedir

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An unfinished directory is removed only if it is old, ours and nobody's.
func TestAbandoned(t *testing.T) {
	state := t.TempDir()
	old := time.Now().Add(-2 * abandoned)
	// dir makes an unfinished directory with these files; a name with a slash is a directory.
	dir := func(name string, files ...string) string {
		t.Helper()
		path := filepath.Join(state, unfinished+name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			err := os.MkdirAll(filepath.Join(path, filepath.Dir(f)), 0o700)
			if err == nil && filepath.Base(f) != "-" {
				err = os.WriteFile(filepath.Join(path, f), nil, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		return path
	}
	gone := []string{
		dir("empty"),
		dir("locked", "lock"),
		dir("nearly", "lock", "spool/-", "mount.json.new"),
		dir("removed", "lock", "spool/f-000001/data"),
	}
	stay := []string{
		dir("photos", "a.jpg"),
		dir("photos and a lock", "lock", "a.jpg"),
		dir("no lock", "spool/data"),
		dir("a lock that is a directory", "lock/-"),
		dir("a description that is a directory", "lock", "mount.json/-"),
	}
	young := dir("young", "lock")
	if err := os.Chtimes(young, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	held := dir("held", "lock", "spool/-")
	lock, err := lockFile(filepath.Join(held, "lock"), 0)
	if err != nil {
		t.Fatal(err)
	}
	other := dir("of another machine", "lock")
	if err := writeMachine(other, machine{BootID: "another", ID: "another"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(other, old, old); err != nil {
		t.Fatal(err)
	}
	here := thisHost()
	here.machine = machine{BootID: "this", ID: "this"}
	stay = append(stay, young, held, other)

	scan := func() {
		t.Helper()
		if found, err := here.scan(state); len(found) != 0 || err != nil {
			t.Errorf("Scan found %v, %v", found, err)
		}
	}
	scan()
	for _, path := range gone {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s stays", path)
		}
	}
	for _, path := range stay {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s was removed", path)
		}
	}
	// Its maker dies.
	lock.Close()
	scan()
	if _, err := os.Stat(held); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s stays when its lock is free", held)
	}
}

// Other machines may be at work where nothing proves that they are not.
func TestAbandonedWithLocalLocks(t *testing.T) {
	state := t.TempDir()
	path := filepath.Join(state, unfinished+"x")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-2 * abandoned)
	if err := os.Chtimes(path, long, long); err != nil {
		t.Fatal(err)
	}
	if _, err := on(filesystem{magic: unix.FUSE_SUPER_MAGIC}).scan(state); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("it was removed")
	}
}

// The lock goes last, so that whoever finds half of a session directory knows what it is,
// and is closed before that, for NFS.
func TestRemoveLocksUntilTheEnd(t *testing.T) {
	state := t.TempDir()
	d, err := Create(state, "one", Mount{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Spool(), "data"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	watch, err := unix.InotifyInit1(unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(watch)
	if _, err := unix.InotifyAddWatch(watch, d.Path(), unix.IN_DELETE|unix.IN_CLOSE_WRITE); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	got := events(t, watch)
	want := []string{"close lock", "delete lock"}
	if len(got) < 5 || !slices.Equal(got[len(got)-2:], want) {
		t.Errorf("%v, want the end %v", got, want)
	}
}

func events(t *testing.T, watch int) (out []string) {
	t.Helper()
	b := make([]byte, 64<<10)
	n, err := unix.Read(watch, b)
	if err != nil {
		t.Fatal(err)
	}
	for b = b[:n]; len(b) > 0; {
		mask, size := binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint32(b[12:])
		name := string(bytes.TrimRight(b[16:16+size], "\x00"))
		b = b[16+size:]
		switch {
		case mask&unix.IN_DELETE != 0:
			out = append(out, "delete "+name)
		case mask&unix.IN_CLOSE_WRITE != 0:
			out = append(out, "close "+name)
		}
	}
	return out
}
