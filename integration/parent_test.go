package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// A program has made a file in a directory and not closed it yet, so that the bucket does not
// have it. Meanwhile another host removes the directory, which is empty in the bucket, and makes
// a file of its name. Then close fails, and the bytes are kept beside that file.
// SEMANTICS G1; LOCKS P2, a name and its directory
func TestParentBecomesAFileBeforeTheFirstClose(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	const log = "somebody else|another host"
	one, two := b.Mount("one", "--metadata-ttl", "100ms").Expect(log), b.Mount("two", "--metadata-ttl", "100ms")
	f, g := newFiles(e), newFiles(e)
	f.must(fileCall{Op: "mkdir", Path: one.Path("d")})
	fd := f.mustOpen(one.Path("d", "x"), unix.O_CREAT|unix.O_RDWR)
	f.mustWrite(fd, 0, "mine\n")
	g.must(fileCall{Op: "rmdir", Path: two.Path("d")})
	g.mustPut(two.Path("d"), "theirs\n")
	if err := f.close(fd); err != unix.ESTALE {
		t.Errorf("close: %v", err)
	}
	keys := b.KeysBelow("")
	kept := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !strings.HasPrefix(k, "x.conflict-") })
	if len(kept) != 1 || slices.Contains(keys, "d/x") || g.mustGet(two.Path("d")) != "theirs\n" {
		t.Fatalf("the bucket has %q", keys)
	}
	if got := g.mustGet(two.Path(kept[0])); got != "mine\n" {
		t.Errorf("%s is %q", kept[0], got)
	}
}

// A directory that another host removed comes back with its mode and owner when a file is closed
// that was made in it before.
// LOCKS P2, a name and its directory
func TestDirectoryComesBackAsItWas(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	one, two := b.Mount("one", "--metadata-ttl", "100ms"), b.Mount("two", "--metadata-ttl", "100ms")
	f, g := newFiles(e), newFiles(e)
	f.must(fileCall{Op: "mkdir", Path: one.Path("d")})
	e.Must(os.Chmod(one.Path("d"), 0o700))
	fd := f.mustOpen(one.Path("d", "x"), unix.O_CREAT|unix.O_RDWR)
	f.mustWrite(fd, 0, "mine\n")
	g.must(fileCall{Op: "rmdir", Path: two.Path("d")})
	f.mustClose(fd)
	e.Sh(two.Mountpoint, "sleep 0.2")
	if st, err := os.Stat(two.Path("d")); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v, %v", st, err)
	}
	if got := g.mustGet(two.Path("d", "x")); got != "mine\n" {
		t.Errorf("d/x is %q", got)
	}
}

// Also the directories above it come back as they were, and the directory comes back as it was for
// what is made in it next, whatever becomes of the file that was made before.
// LOCKS P2, a name and its directory
func TestDirectoriesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	one, two := b.Mount("one", "--metadata-ttl", "100ms"), b.Mount("two", "--metadata-ttl", "5s")
	f, g := newFiles(e), newFiles(e)
	for _, d := range []string{"a", "a/b", "a/b/c", "d"} {
		f.must(fileCall{Op: "mkdir", Path: one.Path(d)})
		e.Must(os.Chmod(one.Path(d), 0o700))
	}
	deep, gone := g.mustOpen(two.Path("a/b/c/x"), unix.O_CREAT|unix.O_RDWR), g.mustOpen(two.Path("d/x"), unix.O_CREAT|unix.O_RDWR)
	g.mustWrite(deep, 0, "mine\n")
	for _, d := range []string{"a/b/c", "a/b", "a", "d"} {
		f.must(fileCall{Op: "rmdir", Path: one.Path(d)})
	}
	g.must(fileCall{Op: "mkdir", Path: two.Path("d/y")})
	g.must(fileCall{Op: "unlink", Path: two.Path("d/x")})
	g.mustClose(gone)
	g.mustClose(deep)
	e.Sh(one.Mountpoint, "sleep 0.2")
	for _, d := range []string{"a", "a/b", "a/b/c", "d"} {
		if st, err := os.Stat(one.Path(d)); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%s is %v, %v; the bucket has %q", d, st, err, b.KeysBelow(""))
		}
	}
}

// A directory that another host removed is gone for a host that has removed its last entry, too:
// nothing can be made in it, and it is not shown with another mode than it had.
// LOCKS P2, a name and its directory
func TestDirectoryThatBothHostsEmptied(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	one, two := b.Mount("one", "--metadata-ttl", "100ms"), b.Mount("two", "--metadata-ttl", "100ms")
	f, g := newFiles(e), newFiles(e)
	for _, d := range []string{"made in", "looked at"} {
		f.must(fileCall{Op: "mkdir", Path: one.Path(d)})
		e.Must(os.Chmod(one.Path(d), 0o700))
		f.mustPut(one.Path(d, "x"), "ours\n")
		e.Sh(two.Mountpoint, "sleep 0.2")
		g.must(fileCall{Op: "unlink", Path: two.Path(d, "x")})
		f.must(fileCall{Op: "rmdir", Path: one.Path(d)})
	}
	if err := g.put(two.Path("made in", "y"), "mine\n"); err != unix.ENOENT {
		t.Errorf("create in it: %v, the bucket has %q", err, b.KeysBelow(""))
	}
	e.Sh(two.Mountpoint, "sleep 0.2")
	if st, err := os.Stat(two.Path("looked at")); err == nil {
		t.Errorf("it is shown as %v", st.Mode())
	}
}

// Two hosts at the same moment: one makes something in an empty directory, the other one removes
// the directory and makes a file of its name. The name is one thing, what was answered with 0
// is there, and a directory keeps its mode.
// SEMANTICS G1; LOCKS P2, a name and its directory
func TestParentChangesAtTheSameMoment(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	const log = "refused|EBUSY|somebody else|another host"
	one, two := b.Mount("one").Expect(log), b.Mount("two").Expect(log)
	f, g := newFiles(e), newFiles(e)
	ways := []string{"create", "mkdir", "symlink", "rename"}
	for i := range 40 {
		d := fmt.Sprintf("d%02d", i)
		f.must(fileCall{Op: "mkdir", Path: one.Path(d)})
		e.Must(os.Chmod(one.Path(d), 0o700))
		g.must(fileCall{Op: "stat", Path: two.Path(d)})
		how := ways[i%len(ways)]
		if how == "rename" {
			g.mustPut(two.Path(d+"-from"), "theirs\n")
		}
		made := make(chan error)
		go func() {
			switch how {
			case "create":
				made <- g.put(two.Path(d, "x"), "theirs\n")
			case "rename":
				_, err := g.call(fileCall{Op: "rename", Path: two.Path(d + "-from"), To: two.Path(d, "x")})
				made <- err
			default:
				_, err := g.call(fileCall{Op: how, Path: two.Path(d, "x"), To: "target"})
				made <- err
			}
		}()
		_, removed := f.call(fileCall{Op: "rmdir", Path: one.Path(d)})
		var file error
		if i%8 < 4 {
			file = f.put(one.Path(d), "mine\n")
		}
		inside := <-made
		keys := slices.DeleteFunc(b.KeysBelow(d), func(k string) bool { return k != d && !strings.HasPrefix(k, d+"/") })
		below := slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, d+"/x") })
		what := fmt.Sprintf("%s in %s: %v; rmdir: %v; file: %v; the bucket has %q", how, d, inside, removed, file, keys)
		if slices.Contains(keys, d) && len(keys) > 1 {
			t.Errorf("a file and a directory: %s", what)
		}
		if (inside == nil) != below {
			t.Errorf("not what was answered: %s", what)
		}
		if removed == nil && i%8 < 4 && (file == nil) != slices.Contains(keys, d) {
			t.Errorf("not what was answered: %s", what)
		}
		if below && !slices.Contains(keys, d+"/") {
			t.Errorf("the mode is gone: %s", what)
		}
	}
}
