package mount

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/internal/procfs"
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

func TestLook(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	find := func(path, device string) string {
		t.Helper()
		f, begins, err := search{path: path, device: device, namespace: "mnt:[1]", dirs: func() []string { return []string{one, two} }}.look()
		if err != nil {
			t.Fatal(err)
		}
		name := ""
		if f != nil {
			name = f.session.Name
		}
		if begins {
			name += " begins"
		}
		return name
	}
	expect := func(what, path, device, want string) {
		t.Helper()
		if got := find(path, device); got != want {
			t.Errorf("%s: found %q, want %q", what, got, want)
		}
	}
	expect("empty state directories", "/mnt/a", "0:50", "")
	// A name that sorts first must not win over the one that lives.
	dead := session(t, one, "a-dead", statedir.Mount{Mountpoint: "/mnt/a", Device: "0:50"})
	dead.Close()
	defer session(t, one, "b-other", statedir.Mount{Mountpoint: "/mnt/b", Device: "0:50"}).Remove()
	expect("a dead mount, whose number another one had", "/mnt/a", "0:50", "a-dead")
	live := session(t, two, "c-live", statedir.Mount{Mountpoint: "/mnt/a", Device: "0:50"})
	defer live.Remove()
	finishing := session(t, one, "d-finishing", statedir.Mount{Mountpoint: "/mnt/a", Namespace: "mnt:[1]"})
	defer finishing.Remove()
	expect("a live mount beside a dead one with its number", "/mnt/a", "0:50", "c-live begins")
	expect("a mount that nobody has noted", "/mnt/a", "0:51", " begins")
	defer session(t, two, "e-moved", statedir.Mount{Mountpoint: "/mnt/before", Device: "0:52"}).Remove()
	expect("a mount that was moved", "/mnt/now", "0:52", "e-moved")
	if err := live.Update(func(m *statedir.Mount) { m.Mountpoint = "/mnt/c" }); err != nil {
		t.Fatal(err)
	}
	expect("nothing mounted, one still finishing", "/mnt/a", "", "d-finishing")
	defer session(t, two, "f-container", statedir.Mount{Mountpoint: "/mnt/f", Device: "0:53", Namespace: "mnt:[2]"}).Remove()
	expect("a mount at that path of another namespace", "/mnt/f", "", "")
	expect("which is seen here all the same", "/mnt/f", "0:53", "f-container")
}

// A mount that got the number of ours when ours was gone is not ours at another place.
func TestAlsoAt(t *testing.T) {
	ours, bound := procfs.Mount{ID: "7", Device: "0:50", Mountpoint: "/a"}, procfs.Mount{ID: "8", Device: "0:50", Mountpoint: "/b"}
	other := procfs.Mount{ID: "9", Device: "0:51", Mountpoint: "/c"}
	before := []procfs.Mount{other, ours, bound}
	if got := alsoAt("0:50", before, []procfs.Mount{other, bound}); got != "/b" {
		t.Errorf("a bind mount that stays: %q", got)
	}
	next := procfs.Mount{ID: "7", Device: "0:50", Mountpoint: "/d"}
	if got := alsoAt("0:50", []procfs.Mount{other, ours}, []procfs.Mount{other, next}); got != "" {
		t.Errorf("another mount with its number: %q", got)
	}
}

// A mount that the kernel shows before its process has noted its number is waited for; one that
// nobody knows is not waited for long.
func TestAwaitTheNote(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		begun := session(t, state, "begun", statedir.Mount{Mountpoint: "/mnt/a"})
		defer begun.Remove()
		s := search{path: "/mnt/a", device: "0:50", dirs: func() []string { return []string{state} }}
		time.AfterFunc(enteredWithin*2, func() {
			if err := begun.Update(func(m *statedir.Mount) { m.Device = "0:50" }); err != nil {
				t.Error(err)
			}
		})
		if f, err := s.await(t.Context()); f == nil || err != nil {
			t.Errorf("found %v, %v", f, err)
		}
		began := time.Now()
		s.path, s.device = "/mnt/b", "0:51"
		if f, err := s.await(t.Context()); f != nil || err != nil || time.Since(began) > enteredWithin+time.Second {
			t.Errorf("found %v, %v after %s", f, err, time.Since(began))
		}
		began = time.Now()
		s.path, s.device = "/mnt/a", "0:52" // another's mount over ours, which finishes
		if err := begun.Update(func(m *statedir.Mount) { m.Device = "" }); err != nil {
			t.Fatal(err)
		}
		if f, err := s.await(t.Context()); f != nil || err != nil || time.Since(began) > notedWithin+time.Second {
			t.Errorf("found %v, %v after %s", f, err, time.Since(began))
		}
		s.device = "0:53" // which a mount had that was killed, elsewhere
		session(t, state, "killed", statedir.Mount{Mountpoint: "/mnt/c", Device: "0:53"}).Close()
		time.AfterFunc(enteredWithin*2, func() {
			if err := begun.Update(func(m *statedir.Mount) { m.Device = "0:53" }); err != nil {
				t.Error(err)
			}
		})
		if f, err := s.await(t.Context()); f == nil || f.session.Name != "begun" || err != nil {
			t.Errorf("found %v, %v", f, err)
		}
		if err := begun.Update(func(m *statedir.Mount) { m.Device = "" }); err != nil {
			t.Fatal(err)
		}
		began = time.Now()
		s.device = ""
		if f, err := s.await(t.Context()); f == nil || err != nil || time.Since(began) > 0 {
			t.Errorf("found %v, %v after %s", f, err, time.Since(began))
		}
	})
}

// The registry is for everybody to read.
func TestWithoutPassword(t *testing.T) {
	for endpoint, want := range map[string]string{
		"": "", "http://h:1/p": "http://h:1/p", "https://user:secret@h/": "https://h/", "http://a b:secret@\x00": "",
	} {
		if got := withoutPassword(endpoint); got != want {
			t.Errorf("%q: %q, want %q", endpoint, got, want)
		}
	}
}

// Whoever may not unmount a mount, or cannot wait for it, is told whose it is.
func TestMountOfAnotherUser(t *testing.T) {
	for _, tt := range []struct {
		me      int
		options string
		want    string
	}{
		{1000, "rw,user_id=1000,group_id=0,allow_other", ""},
		{0, "rw,user_id=0,group_id=0", ""},
		{1001, "rw", ""},
		{1001, "rw,user_id=1000,group_id=0", "the mount at /m is user 1000's, who alone can unmount it, besides root"},
		{1001, "rw,user_id=0,group_id=0", "the mount at /m is user 0's, who alone can unmount it, besides root"},
		{0, "rw,user_id=1000,group_id=0", "the mount at /m is user 1000's: run latchfs umount /m as that user"},
	} {
		err := ofAnotherThan(tt.me, procfs.Mount{Mountpoint: "/m", Options: tt.options})
		if got := fmt.Sprint(err); tt.want == "" && err != nil || !strings.HasPrefix(got, tt.want) && tt.want != "" {
			t.Errorf("user %d, %s: %v", tt.me, tt.options, err)
		}
	}
}
