package spool

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// leftovers are what a process that was killed can leave of one file.
var leftovers = map[string]func(t *testing.T, f *File){
	"bytes that are to be saved": func(t *testing.T, f *File) {
		try(t, f.WriteAt([]byte("bytes"), 0))
		try(t, f.WriteAt([]byte("more"), 0))
	},
	"nothing that is not in the bucket": func(t *testing.T, f *File) {
		try(t, f.WriteAt([]byte("bytes"), 0))
		_, err := f.Seal(Seal{ID: "w"})
		try(t, err)
		try(t, f.Attempt("w", false))
		try(t, f.Landed("w", version(1)))
	},
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func leaveOnDisk(t *testing.T, leave func(*testing.T, *File)) *memFS {
	t.Helper()
	m := newMemFS()
	sp, err := Open("/spool", Options{FS: m})
	try(t, err)
	f, err := sp.Create(Header{Key: "a"})
	try(t, err)
	leave(t, f)
	return m.killed()
}

// A recovery that is killed while it removes what it has saved leaves nothing that looks
// damaged to the next one.
func TestKillWhileARecoveryRemoves(t *testing.T) {
	for name, leave := range leftovers {
		t.Run(name, func(t *testing.T) {
			for at := 1; ; at++ {
				m := leaveOnDisk(t, leave)
				m.crashAt = at
				scan, err := ScanDir("/spool", m)
				if err == nil {
					for _, f := range scan.Files {
						err = errors.Join(err, f.Drop())
					}
				}
				label := m.steps[len(m.steps)-1]
				if label != "crash" {
					return
				}
				if again := scanned(t, m.killed()); len(again.Bad) > 0 {
					t.Errorf("killed before step %d, after %v: set aside %v", at, m.steps[:len(m.steps)-1], again.Bad)
				}
			}
		})
	}
}

// blindFS is a disk that does not give what is in some files.
type blindFS struct {
	*memFS
	blind string // end of the names of those files
}

func (b blindFS) Open(name string) (DiskFile, error) {
	f, err := b.memFS.Open(name)
	if err == nil && strings.HasSuffix(name, b.blind) {
		return blindFile{f}, nil
	}
	return f, err
}

type blindFile struct{ DiskFile }

func (blindFile) ReadAt([]byte, int64) (int, error) { return 0, unix.EIO }

// What the disk does not give at the moment is not damaged: it stays under its name for another
// try, and does not keep the rest from being recovered. Until then nobody knows which requests
// may still land.
func TestUnreadStaysForAnotherTry(t *testing.T) {
	for _, blind := range []string{"journal", "data", "ops"} {
		t.Run(blind, func(t *testing.T) {
			m := newMemFS()
			sp, err := Open("/spool", Options{FS: m})
			try(t, err)
			for _, key := range []string{"a", "b"} {
				f, err := sp.Create(Header{Key: key})
				try(t, err)
				try(t, f.WriteAt([]byte("bytes"), 0))
			}
			_, err = sp.Begin(Op{ID: "1", Key: "c", Kind: "delete"})
			try(t, err)
			disk, want := m.killed(), 1
			if blind == "ops" {
				want = 2
			} else {
				blind = "f-000001/" + blind
			}
			scan, err := ScanDir("/spool", blindFS{disk, blind})
			try(t, err)
			if !errors.Is(scan.Unread, unix.EIO) || len(scan.Bad) != 1 || len(scan.Files) != want {
				t.Errorf("not read: %v, bad %v, %d files", scan.Unread, scan.Bad, len(scan.Files))
			}
			if !scan.Unanswered("a") || !scan.Unanswered("c") {
				t.Error("nobody knows whether a request for it may still land, and that is not said")
			}
			scan.Close()
			again := scanned(t, disk)
			if again.Unread != nil || len(again.Bad) > 0 || len(again.Files) != 2 || len(again.Ops) != 1 {
				t.Errorf("the second time: not read %v, bad %v, %d files, %d operations", again.Unread, again.Bad, len(again.Files), len(again.Ops))
			}
			if again.Unanswered("a") || !again.Unanswered("c") {
				t.Error("what may still land is known, and that is not said")
			}
		})
	}
}
