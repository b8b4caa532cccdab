package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// make makes a name in one way or another, and tells whether it was made.
func (f *files) make(how, path string) error {
	f.t.Helper()
	c := fileCall{Op: how, Path: path}
	switch how {
	case "create", "create new":
		return f.makeFile(path, map[string]int{"create": 0, "create new": unix.O_EXCL}[how])
	case "symlink":
		c.To = "target"
	case "rename":
		f.mustPut(path+"-source", "renamed\n")
		c.Path, c.To = path+"-source", path
	}
	_, err := f.call(c)
	return err
}

func (f *files) makeFile(path string, flags int) error {
	f.t.Helper()
	fd, err := f.open(path, unix.O_WRONLY|unix.O_CREAT|flags)
	if err != nil {
		return err
	}
	if err := f.write(fd, 0, "made\n"); err != nil {
		return err
	}
	return f.close(fd)
}

// One host makes a directory and another a file of the same name in the same moment: exactly
// one of them succeeds, and that is what there is.
// SEMANTICS G1; LOCKS P2, a name has one lease
func TestOneKindUnderOneName(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	const log = "refused|EBUSY"
	hosts := []*harness.Host{b.Mount("one").Expect(log), b.Mount("two").Expect(log)}
	progs := []*files{newFiles(e), newFiles(e)}
	const rounds = 20
	both := 0
	for i := range rounds {
		name := fmt.Sprint("n", i)
		d, c := i%2, 1-i%2
		made := progs[d].begin(fileCall{Op: "mkdir", Path: hosts[d].Path(name)})
		opened := progs[c].begin(fileCall{Op: "open", Path: hosts[c].Path(name), Flags: unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL})
		_, mkdir := progs[d].within(time.Minute, made)
		r, create := progs[c].within(time.Minute, opened)
		if create == nil {
			progs[c].mustWrite(r.N, 0, "made\n")
			create = progs[c].close(r.N)
		}
		file, dir := b.KeysBelow(name), b.KeysBelow(name+"/")
		file = slices.DeleteFunc(file, func(key string) bool { return key != name })
		switch {
		case mkdir == nil && create == nil:
			both++
		case mkdir != nil && create != nil:
			t.Errorf("round %d: neither succeeded: mkdir %v, create %v", i, mkdir, create)
		case mkdir == nil && (len(file) != 0 || len(dir) != 1), create == nil && (len(file) != 1 || len(dir) != 0):
			t.Errorf("round %d: mkdir %v, create %v, and the bucket has %q %q", i, mkdir, create, file, dir)
		}
		for _, err := range []error{mkdir, create} {
			if err != nil && err != unix.EEXIST && err != unix.EISDIR && err != unix.EBUSY {
				t.Errorf("round %d: the loser was told %v", i, err)
			}
		}
	}
	if both > 0 {
		t.Errorf("mkdir and create of one name both succeeded in %d of %d rounds", both, rounds)
	}
	for _, h := range hosts {
		if names := e.Sh(h.Mountpoint, "sleep 1.1; ls"); strings.Contains(names, "~") {
			t.Errorf("%s shows one name twice: %q", h.Hostname, names)
		}
	}
}

// A name that another host has just made is found by whatever makes or replaces it here,
// though this host may still believe that there is nothing.
// SEMANTICS G1; LOCKS P2
func TestMakingWhatAnotherHostMade(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two", "--metadata-ttl", "1m") // two believes for long
	f, g := newFiles(e), newFiles(e)
	anyOf := func(errs ...error) []error { return errs }
	for i, tt := range []struct {
		theirs, ours string
		want         []error
	}{
		{"mkdir", "create", anyOf(unix.EISDIR, unix.EEXIST)},
		{"mkdir", "create new", anyOf(unix.EEXIST)},
		{"mkdir", "mkdir", anyOf(unix.EEXIST)},
		{"mkdir", "symlink", anyOf(unix.EEXIST)},
		{"mkdir", "rename", anyOf(unix.EISDIR, unix.EEXIST)},
		{"create", "create new", anyOf(unix.EEXIST)},
		{"create", "mkdir", anyOf(unix.EEXIST)},
		{"create", "symlink", anyOf(unix.EEXIST)},
		{"symlink", "mkdir", anyOf(unix.EEXIST)},
		{"symlink", "create new", anyOf(unix.EEXIST)},
		{"rename", "mkdir", anyOf(unix.EEXIST)},
		{"rename", "create new", anyOf(unix.EEXIST)},
	} {
		name := fmt.Sprintf("n%02d", i)
		if _, err := g.call(fileCall{Op: "stat", Path: two.Path(name)}); err != unix.ENOENT {
			t.Fatalf("stat of what is not there: %v", err)
		}
		if err := f.make(tt.theirs, one.Path(name)); err != nil {
			t.Fatalf("%s: %v", tt.theirs, err)
		}
		was := strings.Join(b.KeysBelow(name), " ")
		if err := g.make(tt.ours, two.Path(name)); !slices.Contains(tt.want, err) {
			t.Errorf("%s over what another host made by %s: %v, want one of %v", tt.ours, tt.theirs, err, tt.want)
		}
		keys := b.KeysBelow(name)
		keys = slices.DeleteFunc(keys, func(key string) bool { return strings.HasSuffix(key, "-source") })
		if now := strings.Join(keys, " "); now != was {
			t.Errorf("%s over what another host made by %s: the bucket had %q and has %q", tt.ours, tt.theirs, was, now)
		}
	}
}

// A directory that another host removed and made a file of takes no names any more, and one in
// which another host has just made a file is not removed, whatever this host still believes.
// SEMANTICS G1; LOCKS P2
func TestNamesBelowWhatAnotherHostChanged(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two", "--metadata-ttl", "1m").Expect("refused")
	f, g := newFiles(e), newFiles(e)
	for _, how := range []string{"create", "create new", "mkdir", "symlink"} {
		d := "dir-" + strings.ReplaceAll(how, " ", "-")
		e.Sh(one.Mountpoint, "mkdir "+d)
		if _, err := g.call(fileCall{Op: "list", Path: two.Path(d)}); err != nil {
			t.Fatalf("listing: %v", err)
		}
		e.Sh(one.Mountpoint, "rmdir "+d)
		f.mustPut(one.Path(d), "a file now\n")
		if err := g.make(how, two.Path(d, "x")); err != unix.ENOTDIR {
			t.Errorf("%s below a name that another host made a file of: %v, want ENOTDIR", how, err)
		}
		if keys := b.KeysBelow(d + "/"); len(keys) != 0 {
			t.Errorf("%s: the file is hidden beside %q", how, keys)
		}
	}
	// A rename into it, from outside.
	e.Sh(one.Mountpoint, "mkdir into; echo x > source")
	g.call(fileCall{Op: "list", Path: two.Path("into")})
	e.Sh(one.Mountpoint, "rmdir into; echo file > into")
	if _, err := g.call(fileCall{Op: "rename", Path: two.Path("source"), To: two.Path("into/x")}); err != unix.ENOTDIR {
		t.Errorf("rename below a name that another host made a file of: %v, want ENOTDIR", err)
	}
	if got := contentNow(e, b, "source"); got != "x\n" {
		t.Errorf("the source of the refused rename is %q", got)
	}

	for _, how := range []string{"create", "mkdir", "symlink"} {
		d := "full-" + how
		e.Sh(two.Mountpoint, "mkdir "+d)
		if r, err := g.call(fileCall{Op: "list", Path: two.Path(d)}); err != nil || len(r.Data) != 0 {
			t.Fatalf("listing: %q, %v", r.Data, err)
		}
		if err := f.make(how, one.Path(d, "x")); err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if _, err := g.call(fileCall{Op: "rmdir", Path: two.Path(d)}); err != unix.ENOTEMPTY {
			t.Errorf("rmdir of a directory in which another host made a name by %s: %v, want ENOTEMPTY", how, err)
		}
	}
}
