package spool

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/store"
)

func newFile(t *testing.T, m *memFS) *File {
	t.Helper()
	sp, err := Open("/spool", Options{FS: m})
	if err != nil {
		t.Fatal(err)
	}
	f, err := sp.Create(Header{Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// sealAs writes a byte and seals.
func sealAs(t *testing.T, f *File, id, after store.WriteID) {
	t.Helper()
	must(t, f.WriteAt([]byte("x"), 0))
	_, err := f.Seal(Seal{ID: id, After: after})
	must(t, err)
}

func writeID(n int) store.WriteID { return store.WriteID(fmt.Sprintf("%026d", n)) }

// When the disk is full, all seals can be sent, sent again, and answered.
func TestFullDiskAndManySeals(t *testing.T) {
	const n = 60
	m := newMemFS()
	f := newFile(t, m)
	sealAs(t, f, writeID(0), "")
	for i := 1; i < n; i++ {
		sealAs(t, f, writeID(i), writeID(i-1))
	}
	m.full = true
	for i := range n {
		id := writeID(i)
		must(t, f.Attempt(id, false), f.Failed(id), f.Attempt(id, true), f.Landed(id, version(i)))
	}
}

// When the disk is full, attributes that were accepted can be sealed, however long they are.
func TestFullDiskAndLongAttributes(t *testing.T) {
	m := newMemFS()
	f := newFile(t, m)
	long := mode(strings.Repeat("<", 2000)) // each takes six bytes in the journal
	must(t, f.Attributes(long))
	m.full = true
	if err := f.Attributes(mode(strings.Repeat("<", 8000))); !errors.Is(err, ErrNoSpace) {
		t.Errorf("more attributes than there is room for: %v", err)
	}
	_, err := f.Seal(Seal{ID: "w", Props: long})
	must(t, err, f.Attempt("w", false), f.Landed("w", crashBase))
}

// Seals that have landed or were replaced take no room any more.
func TestRoomIsGivenBack(t *testing.T) {
	m := newMemFS()
	f := newFile(t, m)
	for i := range 100 {
		sealAs(t, f, writeID(i), "")
	}
	for i := 100; i < 200; i++ {
		sealAs(t, f, writeID(i), writeID(i-1))
		must(t, f.Landed(writeID(i-1), crashBase))
	}
	j := m.files["/spool/f-000001/journal"]
	spare := j.room - int64(len(j.b))
	if spare > 2*reserveStep {
		t.Errorf("%d bytes are reserved", spare)
	}
}
