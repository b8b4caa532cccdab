package gc

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/internal/statedir"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
)

// A session directory that cannot be judged is named, and the next one is judged all the same.
func TestDirectories(t *testing.T) {
	state := t.TempDir()
	table := memtable.NewServer().Table()
	dirs := map[string]*statedir.Dir{}
	for _, name := range []string{"bad", "dead", "live", "other", "waits"} {
		m := statedir.Mount{Mountpoint: "/mnt/" + name, BucketID: bucketID, SIDs: []string{name + ".1"}}
		if name == "other" {
			m.BucketID = "another"
		}
		d, err := statedir.Create(state, name, m)
		if err != nil {
			t.Fatal(err)
		}
		if err := table.PutSession(t.Context(), lockmgr.Session{SID: name + ".1"}); err != nil {
			t.Fatal(err)
		}
		dirs[name] = d
	}
	if err := os.Mkdir(filepath.Join(dirs["waits"].Spool(), "f-000001"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dirs["bad"].Path(), "machine"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, d := range dirs {
		if name != "live" {
			d.Close()
		}
	}
	defer dirs["live"].Close()

	var f Found
	closed := f.directories(state, bucketID, table)
	if len(closed) != 1 || !closed["dead.1"] {
		t.Errorf("sessions that are closed: %v", closed)
	}
	if len(f.Items) != 1 || f.Items[0].Name != dirs["dead"].Path() {
		t.Errorf("found %+v", f.Items)
	}
	if len(f.Left) != 1 || !f.Left[0].Failed || !strings.Contains(f.Left[0].Why, dirs["bad"].Path()) {
		t.Errorf("not looked at: %+v", f.Left)
	}
	if err := Remove(t.Context(), f.Items, nil, func(r Result) {
		if r.Err != nil || !r.Removed {
			t.Errorf("%+v", r)
		}
	}); err != nil {
		t.Error(err)
	}
	if s, err := table.GetSession(t.Context(), "dead.1"); err != nil || s.State != lockmgr.Closed {
		t.Errorf("its session is %q, %v", s.State, err)
	}
}
