package statedir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Only what is surely another machine is one: a container or a new start is not.
func TestOtherMachine(t *testing.T) {
	here := machine{BootID: "b1", ID: "m1"}
	for _, c := range []struct {
		name string
		made machine
		want bool
	}{
		{"the same run", machine{"b1", "m1"}, false},
		{"a new start", machine{"b2", "m1"}, false},
		{"another container", machine{"b1", "m2"}, false},
		{"another machine", machine{"b2", "m2"}, true},
		{"a container without an id on another machine", machine{"b2", ""}, false},
		{"a boot id that is not known", machine{"", "m2"}, false},
		{"nothing known", machine{}, false},
	} {
		if c.made.other(here) != c.want || here.other(c.made) != c.want {
			t.Errorf("%s: %v, want %v", c.name, !c.want, c.want)
		}
	}
}

func TestThisMachine(t *testing.T) {
	root := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := thisMachine(root); got != (machine{}) {
		t.Errorf("without files: %+v", got)
	}
	write("proc/sys/kernel/random/boot_id", "d0e5d8a2-9d4b-4b9f-9c8e-0123456789ab\n")
	for _, none := range []string{"", "\n", "uninitialized\n", "0123\n"} {
		write("etc/machine-id", none)
		if got := thisMachine(root); got.ID != "" || got.BootID != "d0e5d8a2-9d4b-4b9f-9c8e-0123456789ab" {
			t.Errorf("machine-id %q: %+v", none, got)
		}
	}
	const id = "0123456789abcdef0123456789abcdef"
	write("etc/machine-id", id+"\n")
	one := thisMachine(root)
	if len(one.ID) != 32 || strings.Contains(one.ID, id) {
		t.Errorf("the confidential id became %q", one.ID)
	}
	if again := thisMachine(root); again != one {
		t.Errorf("the id is not the same again: %+v, %+v", one, again)
	}
	write("etc/machine-id", strings.Repeat("f", 32)+"\n")
	if other := thisMachine(root); other.ID == one.ID {
		t.Error("two machines have one id")
	}
	// The real one has what the kernel always gives.
	if got := thisMachine("/"); got.BootID == "" {
		t.Errorf("this machine: %+v", got)
	}
}

// A session of another machine is left alone, until a person says that it is dead.
func TestSessionOfAnotherMachine(t *testing.T) {
	state := t.TempDir()
	at := func(m machine) host {
		h := thisHost()
		h.machine = m
		return h
	}
	a, b := at(machine{"b1", "m1"}), at(machine{"b2", "m2"})
	d, err := a.create(state, "one", Mount{})
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	_, err = b.tryTake(state, "one")
	if !errors.Is(err, ErrOtherMachine) {
		t.Fatalf("take: %v", err)
	}
	if b.dead(state, "one") {
		t.Error("dead for another machine")
	}
	file := filepath.Join(d.Path(), "machine")
	if !strings.Contains(err.Error(), "remove "+file) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%q does not say what to do", err)
	}
	// The machine itself, after a new start.
	if !at(machine{"b3", "m1"}).dead(state, "one") {
		t.Error("not dead for the same machine after a new start")
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.tryTake(state, "one"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("take with an unreadable file: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if !b.dead(state, "one") {
		t.Error("not dead though the file was removed")
	}
	taken, err := b.tryTake(state, "one")
	if err != nil {
		t.Fatal(err)
	}
	taken.Close()
}
