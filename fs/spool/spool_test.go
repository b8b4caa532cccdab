package spool

import (
	"context"
	"io"
	"testing"

	"github.com/latchfs/latchfs/store"
)

// A snapshot does not change while the file does, and reads while it is written.
func TestSnapshotIsOneMoment(t *testing.T) {
	sp, err := Open("/spool", Options{FS: newMemFS()})
	if err != nil {
		t.Fatal(err)
	}
	f, err := sp.Create(Header{Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.WriteAt([]byte("first"), 0); err != nil {
		t.Fatal(err)
	}
	snap := f.Snapshot()
	for _, step := range []func() error{
		func() error { return f.WriteAt([]byte("SECOND"), 0) },
		func() error { return f.Truncate(1) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 8)
		n, err := snap.Reader(context.Background(), nil).ReadAt(b, 0)
		if string(b[:n]) != "first" || err != io.EOF {
			t.Errorf("snapshot reads %q, %v", b[:n], err)
		}
	}
	if f.Size() != 1 {
		t.Errorf("size %d", f.Size())
	}
}

// Operations without data are open until they are answered, over a torn end as well.
func TestOps(t *testing.T) {
	m := newMemFS()
	sp, err := Open("/spool", Options{FS: m})
	if err != nil {
		t.Fatal(err)
	}
	end, err := sp.Begin(Op{ID: "1", Key: "a", Kind: "delete"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sp.Begin(Op{ID: "2", Key: "b", Kind: "copy"}); err != nil {
		t.Fatal(err)
	}
	end()
	disk := m.killed()
	o := disk.files["/spool/ops"]
	o.b = append(o.b, 40, 0, 0, 0, 1, 2, 3)
	scan := scanned(t, disk)
	if len(scan.Ops) != 1 || scan.Ops[0].Key != "b" || !scan.Unanswered("b") || scan.Unanswered("a") {
		t.Errorf("open operations: %+v", scan.Ops)
	}
}

// An upload can be aborted by what is found of it, and publishes nothing alone.
func TestUploadIsNotUnanswered(t *testing.T) {
	m := newMemFS()
	sp, err := Open("/spool", Options{FS: m})
	if err != nil {
		t.Fatal(err)
	}
	op := Op{ID: "1", Key: "a", Base: crashBase, Kind: OpUpload, Upload: "u"}
	if _, err := sp.Begin(op); err != nil {
		t.Fatal(err)
	}
	scan := scanned(t, m.killed())
	if len(scan.Ops) != 1 || scan.Ops[0] != op {
		t.Errorf("open operations: %+v", scan.Ops)
	}
	if scan.Unanswered("a") {
		t.Error("an upload counts as a request that may land")
	}
}

// A request of any seal may land until it has an answer, under the name that it was sent
// for.
func TestUnanswered(t *testing.T) {
	m := newMemFS()
	sp, err := Open("/spool", Options{FS: m})
	if err != nil {
		t.Fatal(err)
	}
	f, err := sp.Create(Header{Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	seal := func(id, after store.WriteID) func() error {
		return func() error {
			_, err := f.Seal(Seal{ID: id, After: after})
			return err
		}
	}
	for _, step := range []struct {
		name string
		do   func() error
		a, b bool
	}{
		{"sealed", seal("w", ""), false, false},
		{"attempted", func() error { return f.Attempt("w", false) }, true, false},
		{"failed", func() error { return f.Failed("w") }, false, false},
		{"second sealed", seal("x", "w"), false, false},
		{"second attempted", func() error { return f.Attempt("x", false) }, true, false},
		{"moved", func() error { return f.Moved("b", crashBase) }, true, true},
		{"attempted again", func() error { return f.Attempt("x", false) }, false, true},
		{"landed", func() error { return f.Landed("x", crashBase) }, false, false},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if scan := scanned(t, m.killed()); scan.Unanswered("a") != step.a || scan.Unanswered("b") != step.b {
			t.Errorf("%s: a %v, b %v", step.name, scan.Unanswered("a"), scan.Unanswered("b"))
		}
	}
}
