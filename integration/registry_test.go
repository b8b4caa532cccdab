package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
	"github.com/latchfs/latchfs/internal/registry"
)

// entryOf is what the registry says of the mount of a host; nil if nothing.
func entryOf(h *harness.Host) *registry.Found {
	h.Helper()
	all, err := registry.Read("/run/latchfs")
	h.Must(err)
	for _, f := range all {
		if f.StateDir == h.StateDir {
			return &f
		}
	}
	return nil
}

// umountBare unmounts with nothing but the mount point.
func umountBare(h *harness.Host, path string) harness.Output {
	h.Helper()
	return h.Start(h.Command("umount", path)).Wait(time.Minute)
}

// A mount with a state directory of its own is found by its mount point, by whatever name that has;
// the registry says how it was mounted, and nothing that is secret, as long as it lives.
func TestUmountNeedsOnlyTheMountpoint(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one")
	e.Sh(h.Mountpoint, "echo x > f")
	entry := entryOf(h)
	if entry == nil || !entry.Live || entry.Mountpoint != h.Mountpoint || entry.Source != b.Source()+"/" ||
		entry.Endpoint != b.Server().URL || !entry.PathStyle || entry.Region != harness.Region {
		t.Errorf("the registry says %+v", entry)
	}
	text, err := os.ReadFile(filepath.Join("/run/latchfs", entry.Session+".json"))
	e.Must(err)
	if strings.Contains(string(text), b.Server().SecretKey) || strings.Contains(string(text), b.Server().AccessKey) {
		t.Errorf("the registry has keys: %s", text)
	}
	link := filepath.Join(e.Dir, "link")
	e.Must(os.Symlink(h.Mountpoint, link))
	if o := umountBare(h, link); o.Code != 0 {
		t.Errorf("umount: exit code %d\n%s", o.Code, o.Err)
	}
	if o := h.WaitEnd(10 * time.Second); o.Code != 0 {
		t.Errorf("the mount ended with exit code %d", o.Code)
	}
	if entry := entryOf(h); entry != nil {
		t.Errorf("the registry still says %+v", entry)
	}
	if o := umountBare(h, h.Mountpoint); o.Code != 1 || !strings.Contains(o.Err, "nothing is mounted at") {
		t.Errorf("umount once more: exit code %d, %q", o.Code, o.Err)
	}
}

// As soon as the kernel shows a mount it can be unmounted; each time the process before died, so
// that there is a dead session of the same place.
func TestUmountRightAfterTheMount(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one").Expect("recover|dead|cleared")
	for range 3 {
		h.Kill()
		mount := h.StartMount()
		for !h.Mounted() { // not a moment longer
			select {
			case <-mount.Done():
				t.Fatal("it does not mount")
			default:
			}
		}
		// It needs a moment for its notes, which is now a long one.
		h.Signal(unix.SIGSTOP)
		umount := e.Start(h.Command("umount", h.Mountpoint))
		select {
		case <-umount.Done():
		case <-time.After(500 * time.Millisecond):
		}
		h.Signal(unix.SIGCONT)
		if o := umount.Wait(time.Minute); o.Code != 0 {
			t.Errorf("umount: exit code %d\n%s", o.Code, o.Err)
		}
		if o := h.WaitEnd(30 * time.Second); o.Code != 0 {
			t.Errorf("the mount ended with exit code %d", o.Code)
		}
		h.Mount()
	}
}

// A mount whose process was killed is unmounted by its mount point, too, and what it had not saved
// is named; also if it was killed before it had noted which mount is its own. Whoever mounts next
// clears the registry.
func TestUmountOfAKilledMount(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Mortal)
	h := b.Mount("one").Expect("recover|closed when its mount died")
	f := newFiles(e)
	fd := f.mustOpen(h.Path("f"), unix.O_WRONLY|unix.O_CREAT)
	f.mustWrite(fd, 0, "unsaved\n")
	h.Crash()
	f.close(fd) // fails; as long as it is open the mount is in use
	if o := umountBare(h, h.Mountpoint); o.Code != 3 || !strings.Contains(o.Err, "f (8 B, not closed)") {
		t.Errorf("umount: exit code %d, %q; want 3 and the file named", o.Code, o.Err)
	}
	if h.Mounted() {
		t.Error("it is still mounted")
	}
	was := entryOf(h)
	h.Mount()
	// The entry comes after mount.json, by which the harness knows that the host has mounted. Any other mount may have
	// cleared the registry meanwhile.
	e.Eventually(10*time.Second, func() error {
		if now := entryOf(h); now == nil || was != nil && (was.Live || now.Session == was.Session) {
			return fmt.Errorf("the registry said %+v, and says %+v", was, now)
		}
		return nil
	})

	h.Crash()
	found, _ := filepath.Glob(filepath.Join(h.StateDir, "*", "mount.json"))
	for _, path := range found {
		var m map[string]any
		text, err := os.ReadFile(path)
		e.Must(err)
		e.Must(json.Unmarshal(text, &m))
		delete(m, "device")
		text, err = json.Marshal(m)
		e.Must(err)
		e.Must(os.WriteFile(path, text, 0o600))
	}
	if o := umountBare(h, h.Mountpoint); o.Code != 0 {
		t.Errorf("umount: exit code %d\n%s", o.Code, o.Err)
	}
	if h.Mounted() {
		t.Error("it is still mounted")
	}
	h.Mount()
	h.Umount()
}

// A mount that was moved is found where it is. One that is bound to another place ends when the
// last of both goes, and until then umount does not say that all is saved.
func TestUmountOfMovedAndBoundMounts(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Host("one")
	// A mount below a shared one cannot be moved.
	own := filepath.Dir(h.Mountpoint)
	e.Must(unix.Mount("tmpfs", own, "tmpfs", 0, ""))
	defer unix.Unmount(own, unix.MNT_DETACH)
	e.Must(unix.Mount("", own, "", unix.MS_PRIVATE, ""))
	e.Must(os.Mkdir(h.Mountpoint, 0o755))
	moved, bound := filepath.Join(own, "moved"), filepath.Join(own, "bound")
	e.Must(os.Mkdir(moved, 0o755))
	e.Must(os.Mkdir(bound, 0o755))
	mount := e.Start(h.Command(h.MountArgs()...))
	e.Eventually(time.Minute, func() error {
		if entryOf(h) == nil {
			return fmt.Errorf("not mounted: %s", mount.Err.String())
		}
		return nil
	})
	e.Must(unix.Mount(h.Mountpoint, moved, "", unix.MS_MOVE, ""))
	e.Must(unix.Mount(moved, bound, "", unix.MS_BIND, ""))
	e.Sh(moved, "echo x > f; cat "+bound+"/f")
	if o := umountBare(h, moved); o.Code != 1 || !strings.Contains(o.Err, "still mounted at "+bound) {
		t.Errorf("umount of the first: exit code %d, %q", o.Code, o.Err)
	}
	if o := umountBare(h, bound); o.Code != 0 {
		t.Errorf("umount of the last: exit code %d, %q", o.Code, o.Err)
	}
	if o := mount.Wait(30 * time.Second); o.Code != 0 {
		t.Errorf("the mount ended with exit code %d\n%s", o.Code, o.Err)
	}
	if got := b.Content("f"); got != "x\n" {
		t.Errorf("the bucket has %q", got)
	}
}

// Another user of the host can neither make root believe his entries nor keep root's mounts out of
// the registry; where it cannot be used a mount works all the same.
func TestRegistryOfOthers(t *testing.T) {
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one")
	e.Must(os.Chmod("/run/latchfs", 0o777))
	defer os.Chmod("/run/latchfs", 0o755)
	if o := umountBare(h, h.Mountpoint); o.Code != 1 || !strings.Contains(o.Err, "--state-dir") {
		t.Errorf("umount by a registry that others can write to: exit code %d, %q", o.Code, o.Err)
	}
	program, err := suite.Latchfs()
	e.Must(err)
	e.Sh(e.Suite.Root(), "chmod 755 . "+e.Dir)
	o := e.TrySh(e.Dir, fmt.Sprintf("cp -L %s . && setpriv --reuid %d --regid %[2]d --clear-groups ./latchfs umount %s", program, bob, h.Mountpoint))
	if o.Code != 1 || !strings.Contains(o.Err, "is user 0's, who alone can unmount it") {
		t.Errorf("umount by another user: exit code %d, %q", o.Code, o.Err)
	}
	two := b.Mount("two")
	if !two.Logs("/run/latchfs can be written to by others") {
		t.Error("the log does not say why the mount is not in the registry")
	}
	newFiles(e).mustPut(two.Path("f"), "x\n")
	two.Umount()
}
