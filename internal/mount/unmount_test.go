package mount

import (
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
