package logfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// lines gives all lines of the log, the oldest first, and fails the test for a line that was cut.
func lines(t *testing.T, path string, o Options) []string {
	t.Helper()
	var all []string
	for i := o.Older; i >= 0; i-- {
		name := path
		if i > 0 {
			name = fmt.Sprint(path, ".", i)
		}
		b, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 0 && b[len(b)-1] != '\n' {
			t.Errorf("%s ends within a line: %q", name, b)
		}
		all = append(all, strings.Fields(string(b))...)
	}
	return all
}

func open(t *testing.T, path string, o Options) *File {
	t.Helper()
	l, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// Of many lines the newest are there, in order and without a gap, in so many files of that size.
func TestTheNewestLinesStay(t *testing.T) {
	path, o := filepath.Join(t.TempDir(), "log"), Options{Limit: 100, Older: 3}
	l := open(t, path, o)
	for i := range 1000 {
		if n, err := fmt.Fprintf(l, "line%04d\n", i); n != 9 || err != nil {
			t.Fatal(n, err)
		}
	}
	got := lines(t, path, o)
	if want := 3*11 + 1000%11; len(got) != want { // 11 lines of 9 bytes fit
		t.Errorf("%d lines, want %d", len(got), want)
	}
	for i, line := range got {
		if want := fmt.Sprintf("line%04d", 1000-len(got)+i); line != want {
			t.Fatalf("line %d is %q, want %q", i, line, want)
		}
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 4 {
		t.Errorf("files: %v", entries)
	}
	for _, e := range entries {
		if i, err := e.Info(); err != nil || i.Size() > o.Limit {
			t.Errorf("%s has %d bytes (%v), want at most %d", e.Name(), i.Size(), err, o.Limit)
		}
	}
	if i, err := os.Stat(path); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", i.Mode(), err)
	}
}

// Several processes write to one log and each sets it aside when it is full: every line is there
// once, and those of each writer are in order.
func TestSeveralWritersLoseNothing(t *testing.T) {
	const writers, each = 8, 500
	path, o := filepath.Join(t.TempDir(), "log"), Options{Limit: 4000, Older: 20}
	var wg sync.WaitGroup
	for w := range writers {
		l := open(t, path, o) // a description of its own, as another process has
		wg.Go(func() {
			for i := range each {
				fmt.Fprintf(l, "%d-%04d\n", w, i)
			}
		})
	}
	wg.Wait()
	got := lines(t, path, o)
	if len(got) != writers*each {
		t.Errorf("%d lines, want %d", len(got), writers*each)
	}
	slices.Sort(got)
	if n := len(slices.Compact(slices.Clone(got))); n != len(got) {
		t.Errorf("%d lines, of which only %d differ", len(got), n)
	}
	aside, _ := filepath.Glob(path + ".*")
	if len(aside) == 0 {
		t.Error("nothing was set aside")
	}
	for _, name := range aside {
		// It may have more: while one sets it aside the others write on.
		if i, err := os.Stat(name); err != nil || i.Size() < o.Limit-6 {
			t.Errorf("%s was set aside with %d bytes (%v), before it was full", name, i.Size(), err)
		}
	}
}

// A file that another tool has moved gets the lines until Reopen is called, also where that tool
// has made a new one; but it does not grow without end if nobody calls it.
func TestMovedAway(t *testing.T) {
	for _, made := range []bool{false, true} {
		path, o := filepath.Join(t.TempDir(), "log"), Options{Limit: 100, Older: 1}
		moved := path + "-20261128"
		l := open(t, path, o)
		fmt.Fprintln(l, "before")
		if err := os.Rename(path, moved); err != nil {
			t.Fatal(err)
		}
		if made {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprintln(l, "between")
		if err := l.Reopen(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(l, "after")
		for name, want := range map[string]string{moved: "before\nbetween\n", path: "after\n"} {
			if b, err := os.ReadFile(name); string(b) != want {
				t.Errorf("made %v: %s has %q (%v), want %q", made, name, b, err, want)
			}
		}
		if err := os.Rename(path, moved); err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			fmt.Fprintln(l, "unattended", i)
		}
		if i, err := os.Stat(moved); err != nil || i.Size() > o.Limit {
			t.Errorf("made %v: what was moved away grows: %v", made, err)
		}
	}
}

// On a full disk writing fails, and the first line that fits again says how much is missing.
func TestFullDisk(t *testing.T) {
	path, o := filepath.Join(t.TempDir(), "log"), Options{Limit: 1 << 20, Older: 1, Missing: func(w io.Writer, lines int, cause error) {
		fmt.Fprintf(w, "lines=%d: %v\n", lines, cause)
	}}
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Fatal(err)
	}
	l := open(t, path, o)
	for range 3 {
		if _, err := fmt.Fprintln(l, "lost"); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("on a full disk: %v", err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(l, "again")
	fmt.Fprintln(l, "and again")
	b, _ := os.ReadFile(path)
	got := strings.Split(string(b), "\n")
	if len(got) != 4 || !strings.Contains(got[0], "lines=3") || !strings.Contains(got[0], "no space left") || got[1] != "again" || got[2] != "and again" {
		t.Errorf("the log has %q", got)
	}
}

// A line that was cut short does not run into the next one.
func TestTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path, Options{Limit: 1 << 20, Older: 1})
	fmt.Fprint(l, "cut sh")
	fmt.Fprintln(l, "whole")
	if b, _ := os.ReadFile(path); string(b) != "cut sh\nwhole\n" {
		t.Errorf("the log has %q", b)
	}
}

// Where nothing can be renamed the log goes on in the file it has, and is set aside once it can.
func TestCannotBeSetAside(t *testing.T) {
	dir := t.TempDir()
	path, o := filepath.Join(dir, "log"), Options{Limit: 100, Older: 1}
	l := open(t, path, o)
	if err := os.MkdirAll(path+".1/full", 0o700); err != nil { // no file replaces that
		t.Fatal(err)
	}
	for range 30 {
		if _, err := fmt.Fprintln(l, "123456789"); err != nil {
			t.Fatal(err)
		}
	}
	if i, _ := os.Stat(path); i.Size() != 300 {
		t.Errorf("%d bytes, want all 300", i.Size())
	}
	if err := os.RemoveAll(path + ".1"); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		fmt.Fprintln(l, "123456789")
	}
	if i, err := os.Stat(path + ".1"); err != nil || i.Size() < 300 {
		t.Errorf("not set aside though it can be: %v", err)
	}
}

// Opened sees each file before the one before it is closed; its error leaves the log as it is.
func TestOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var opened []string
	var fail error
	l := open(t, path, Options{Limit: 10, Older: 1, Opened: func(f *os.File) error {
		opened = append(opened, f.Name())
		return fail
	}})
	fmt.Fprintln(l, "1234567")
	fmt.Fprintln(l, "next")
	if !slices.Equal(opened, []string{path, path}) {
		t.Errorf("opened %q", opened)
	}
	fail = errors.New("cause")
	if err := l.Reopen(); !errors.Is(err, fail) {
		t.Errorf("reopen: %v", err)
	}
	fail = nil
	fmt.Fprintln(l, "on")
	if b, _ := os.ReadFile(path); string(b) != "next\non\n" {
		t.Errorf("the log has %q", b)
	}
	if _, err := Open(filepath.Join(path, "below"), Options{Limit: 10, Older: 1}); err == nil {
		t.Error("no error where it cannot be opened")
	}
}

// Whoever is late leaves the file alone: another process is setting it aside, or has just done so.
func TestSetAsideOnlyOnce(t *testing.T) {
	path, o := filepath.Join(t.TempDir(), "log"), Options{Limit: 10, Older: 3}
	l, other := open(t, path, o), open(t, path, o)
	fmt.Fprintln(l, "full file")
	has, err := l.file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	untouched := func(when, file, content string) {
		t.Helper()
		if err := l.rename(has); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(file); string(b) != content {
			t.Errorf("%s: %s has %q (%v), want %q", when, file, b, err, content)
		}
	}
	if err := unix.Flock(int(other.file.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	untouched("another process is at it", path, "full file\n")
	if err := unix.Flock(int(other.file.Fd()), unix.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(other, "new file")
	untouched("another process has done it", path, "new file\n")
	untouched("another process has done it", path+".1", "full file\n")
}
