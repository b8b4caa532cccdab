package spool

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// What a program that wrote format 1 left is found: its bytes were recorded from it.
func TestFormat1(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	if err := os.CopyFS(dir, os.DirFS("testdata/format1")); err != nil {
		t.Fatal(err)
	}
	scan, err := ScanDir(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer scan.Close()
	if len(scan.Bad) > 0 {
		t.Errorf("set aside: %v", scan.Bad)
	}
	versions := map[string]string{"e1": baseText, "e2": "THE" + baseText[3:]}
	want := []string{
		`attempted on e1; sealed {id:w1 base:e1 text:THE base version mode:w1 copy:false attempted:true unleased:false}; tail "THE BASE version"; mode w1, attrs false, unlinked false`,
		`sealed again on e1; sealed {id:w2 base:e1 text:THE BASE version mode:w2 copy:false attempted:false unleased:false}; mode w2, attrs false, unlinked false`,
		`landed on e2; tail "THE base"; mode w1, attrs false, unlinked false`,
		`moved on e2; tail "THE base version"; mode base, attrs false, unlinked true`,
	}
	if len(scan.Files) != len(want) {
		t.Fatalf("found %d files, want %d", len(scan.Files), len(want))
	}
	for i, f := range scan.Files {
		var x state
		foundFile(t, f, versions, &x)
		if got := x.String(); got != want[i] {
			t.Errorf("found\n%s\nwant\n%s", got, want[i])
		}
	}
	if len(scan.Ops) != 1 || scan.Ops[0].Kind != "copy" || !scan.Unanswered("a") || !scan.Unanswered("attempted") || scan.Unanswered("b") {
		t.Errorf("open operations: %+v", scan.Ops)
	}
}

// Nothing is added to a spool of format 1: the program that wrote it would misread it.
func TestFormat1IsNotOpened(t *testing.T) {
	m := newMemFS()
	m.files["/spool/format"] = &memData{b: []byte("1\n")}
	if _, err := Open("/spool", Options{FS: m}); !errors.Is(err, ErrFormat) {
		t.Errorf("open: %v", err)
	}
}

// A format number that is not known is refused, and nothing is touched.
func TestUnknownFormat(t *testing.T) {
	for _, format := range []string{"0\n", "3\n", "two"} {
		m := newMemFS()
		m.files["/spool/format"] = &memData{b: []byte(format)}
		if _, err := ScanDir("/spool", m); !errors.Is(err, ErrFormat) {
			t.Errorf("scan of format %q: %v", format, err)
		}
		if _, err := Open("/spool", Options{FS: m}); !errors.Is(err, ErrFormat) {
			t.Errorf("open of format %q: %v", format, err)
		}
		if len(m.steps) != 0 {
			t.Errorf("steps: %v", m.steps)
		}
	}
}

// A journal of another format is set aside even where the format file is not on the disk.
func TestUnknownFormatOfAJournal(t *testing.T) {
	for _, format := range []int{0, Format + 1} {
		m := newMemFS()
		sp, err := Open("/spool", Options{FS: m})
		if err != nil {
			t.Fatal(err)
		}
		f, err := sp.Create(Header{Key: "a"})
		if err != nil {
			t.Fatal(err)
		}
		f.header.Format = format
		f.mu.journal = 0 // writes the first record again
		if err := f.record(kindOpen, f.header); err != nil {
			t.Fatal(err)
		}
		if err := f.WriteAt([]byte("bytes"), 0); err != nil {
			t.Fatal(err)
		}
		scan := scanned(t, m.killed())
		if len(scan.Bad) != 1 || !errors.Is(scan.Bad["bad-f-000001"], ErrFormat) {
			t.Errorf("format %d: bad %v", format, scan.Bad)
		}
	}
}
