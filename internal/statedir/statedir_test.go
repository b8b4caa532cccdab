package statedir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestCreateIsPrivateLockedAndDescribed(t *testing.T) {
	state := filepath.Join(t.TempDir(), "a", "b")
	d, err := Create(state, "one", Mount{Mountpoint: "/mnt/x", Source: "s3://b/", BucketID: "id", PID: 7, Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{
		state: 0o700, d.Path(): 0o700, d.Spool(): 0o700,
		filepath.Join(d.Path(), "lock"):       0o600,
		filepath.Join(d.Path(), "mount.json"): 0o600,
	} {
		i, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if i.Mode().Perm() != mode {
			t.Errorf("%s has mode %o, want %o", path, i.Mode().Perm(), mode)
		}
	}
	if Dead(state, "one") {
		t.Error("a locked session counts as dead")
	}
	if _, err := TryTake(state, "one"); !errors.Is(err, ErrLive) {
		t.Errorf("TryTake of a locked session: %v, want ErrLive", err)
	}
	if _, err := Create(state, "one", Mount{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create of a name in use: %v, want ErrExist", err)
	}
	if err := d.Update(func(m *Mount) { m.SIDs = append(m.SIDs, "one.0"); m.Device = "0:42" }); err != nil {
		t.Fatal(err)
	}
	found, err := Scan(state)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].Name != "one" || found[0].Mount.Device != "0:42" || found[0].Mount.SIDs[0] != "one.0" || found[0].Mount.Format != Format {
		t.Errorf("Scan found %+v", found)
	}
}

// What other users could write to is no place for what a mount saves, and nothing is left there.
func TestStateDirectoryOfOthers(t *testing.T) {
	me := os.Geteuid()
	for _, tt := range []struct {
		mode  os.FileMode
		owner int
		uid   int // of the mount
		bad   bool
	}{
		{0o700, me, me, false},
		{0o775, me, me, false},
		{0o777, me, me, true},
		{0o777 | os.ModeSticky, me, me, true},
		{0o755, 1001, 0, true},
		{0o755, 1001, 1000, true},
		{0o755, 1001, 1001, false},
		{0o755, 0, 1001, false},
	} {
		state := t.TempDir()
		if tt.owner != me && os.Chown(state, tt.owner, -1) != nil {
			continue // only root may
		}
		if err := os.Chmod(state, tt.mode); err != nil {
			t.Fatal(err)
		}
		if err := checkOwner(state, tt.uid); (err != nil) != tt.bad {
			t.Errorf("%v of user %d for user %d: %v", tt.mode, tt.owner, tt.uid, err)
		}
		if tt.uid != me || !tt.bad {
			continue
		}
		if _, err := Create(state, "one", Mount{}); err == nil {
			t.Errorf("a session is made in %v of user %d", tt.mode, tt.owner)
		}
		if left, err := os.ReadDir(state); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}

func TestTakeProvesDeathAndRemoveLeavesNothing(t *testing.T) {
	state := t.TempDir()
	d, err := Create(state, "one", Mount{Source: "s"})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if !Dead(state, "one") {
		t.Error("an unlocked session does not count as dead")
	}
	if Dead(state, "two") || Dead(state, "../"+filepath.Base(state)+"/one") || Dead(state, "") {
		t.Error("what is not a session directory counts as dead")
	}
	taken, err := TryTake(state, "one")
	if err != nil {
		t.Fatal(err)
	}
	if taken.Mount().Source != "s" {
		t.Errorf("mount.json reads %+v", taken.Mount())
	}
	if err := taken.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := TryTake(state, "one"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("TryTake after Remove: %v, want ErrNotExist", err)
	}
	if e, err := os.ReadDir(state); err != nil || len(e) != 0 {
		t.Errorf("left in the state directory: %v, %v", e, err)
	}
}

func TestFailedCreateLeavesNothing(t *testing.T) {
	root := t.TempDir()
	state := filepath.Join(root, "made", "here")
	if _, err := Create(state, "no/such", Mount{}); err == nil {
		t.Fatal("Create of a name with a slash succeeded")
	}
	if e, err := os.ReadDir(root); err != nil || len(e) != 0 {
		t.Errorf("left behind: %v, %v", e, err)
	}
}

func TestScanOverOddities(t *testing.T) {
	state := t.TempDir()
	if found, err := Scan(filepath.Join(state, "absent")); found != nil || err != nil {
		t.Errorf("Scan of nothing: %v, %v", found, err)
	}
	write := func(name, content string) {
		dir := filepath.Join(state, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if content == "" {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, "mount.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("empty", "")
	write("torn", "{")
	write("newer", `{"format": 2}`)
	write("good", `{"format": 1, "source": "s"}`)
	if err := os.WriteFile(filepath.Join(state, "latchfs.log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := Scan(state)
	if len(found) != 1 || found[0].Name != "good" {
		t.Errorf("Scan found %+v", found)
	}
	if err == nil {
		t.Error("the torn and the newer mount.json are not reported")
	}
}

// The lock of a session that is removed proves nothing about the next one of the same name.
func TestLockOfAnEarlierSessionIsNoProof(t *testing.T) {
	state := t.TempDir()
	earlier, err := Create(state, "one", Mount{})
	if err != nil {
		t.Fatal(err)
	}
	// Opened by a process that comes to lock it only later.
	lock, err := os.OpenFile(filepath.Join(earlier.Path(), "lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := earlier.Remove(); err != nil {
		t.Fatal(err)
	}
	d, err := Create(state, "one", Mount{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Remove()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	if err := thisHost().checkProof(lock, d.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lock of a live session counts as ours: %v", err)
	}
}

func TestWaitEndsWithTheSession(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*Dir) error
		left bool
	}{{"closed with data", (*Dir).Close, true}, {"removed", (*Dir).Remove, false}} {
		t.Run(c.name, func(t *testing.T) {
			state := t.TempDir()
			d, err := Create(state, "one", Mount{})
			if err != nil {
				t.Fatal(err)
			}
			w, err := Watch(state, "one")
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			ended := false
			// The session ends only after Wait was seen waiting.
			left, err := w.Wait(ctx, time.Millisecond, func() {
				if !ended {
					ended = true
					if err := c.end(d); err != nil {
						t.Error(err)
					}
				}
			})
			if err != nil || left != c.left || !ended {
				t.Errorf("Wait: left %v, %v, waited %v; want left %v", left, err, ended, c.left)
			}
		})
	}
}

func TestWaitStopsWithItsContext(t *testing.T) {
	state := t.TempDir()
	d, err := Create(state, "one", Mount{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Remove()
	w, err := Watch(state, "one")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if left, err := w.Wait(ctx, time.Hour, nil); !left || !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v, %v", left, err)
	}
}
