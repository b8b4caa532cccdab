package spool

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// The limit is one of all bytes that the spool takes: a journal may be much longer than the bytes that
// it tells of. SEMANTICS G5
func TestLimitCountsJournals(t *testing.T) {
	for _, size := range []int64{1, 100, 60 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			const limit = 256 << 10
			m := newMemFS()
			sp, err := Open("/spool", Options{FS: m, Limit: limit})
			must(t, err)
			f, err := sp.Create(Header{Key: "a"})
			must(t, err)
			n := int64(0)
			for err == nil {
				if err = f.WriteAt(make([]byte, size), 2*n*size); err == nil {
					n++
				}
			}
			if !errors.Is(err, ErrNoSpace) {
				t.Fatalf("after %d writes: %v", n, err)
			}
			if taken := m.taken(); taken > limit || taken < limit-2*size-2*reserveStep {
				t.Errorf("%d writes take %d bytes with a limit of %d", n, taken, limit)
			}
			// What was accepted can be saved all the same, and other mutations go on.
			_, err = f.Seal(Seal{ID: "w"})
			must(t, err, f.Attempt("w", false))
			end, err := sp.Begin(Op{ID: "d", Key: "b", Kind: "delete"})
			must(t, err)
			end()
			must(t, f.Landed("w", crashBase))
			if _, err := sp.Create(Header{Key: "c"}); limit-m.taken() < reserveStep && !errors.Is(err, ErrNoSpace) {
				t.Errorf("another file: %v", err)
			}
			must(t, f.Drop())
			if log := int64(len(m.files["/spool/ops"].b)); sp.Used() != 0 || sp.logged != log || m.taken() != log || log == 0 {
				t.Errorf("%d and %d bytes count after the drop, %d are taken", sp.Used(), sp.logged, m.taken())
			}
			again, err := sp.Create(Header{Key: "a"})
			must(t, err, again.WriteAt(make([]byte, size), 0))
			before := sp.Used()
			must(t, again.Close())
			if freed := before - sp.Used(); freed != size+reserveStep {
				t.Errorf("%d bytes are free after a file of %d was left for recovery", freed, size)
			}
		})
	}
}

// taken is the room on the disk that the files take, but that of the format.
func (m *memFS) taken() (n int64) {
	for name, d := range m.files {
		if name != "/spool/"+formatName {
			n += max(int64(len(d.b)), d.room)
		}
	}
	return n
}

// The log of mutations does not grow for ever while something is always under way, and keeps what
// is, also if the process is killed while it is written anew.
func TestOpsStayShort(t *testing.T) {
	op := func(i int) Op { return Op{ID: writeID(i), Key: "k", Kind: "delete"} }
	// run begins one after the other, each before the one before it ends, and gives the last one that
	// has begun.
	run := func(m *memFS) (last int) {
		sp, err := Open("/spool", Options{FS: m})
		if err != nil {
			return -1
		}
		var end func()
		for i := range 700 {
			next, err := sp.Begin(op(i))
			if err != nil {
				return i - 1
			}
			if end != nil {
				end()
			}
			end = next
		}
		return 699
	}
	m := newMemFS()
	run(m)
	if got := len(m.files["/spool/ops"].b); got > opsCompact+1000 {
		t.Errorf("the log has %d bytes", got)
	}
	kills := 0
	for i, step := range m.steps {
		if i < 10 || step == m.steps[i-1] {
			continue
		}
		for at := i; at < i+3; at++ {
			kills++
			killed := newMemFS()
			killed.crashAt = at + 1
			last := run(killed)
			scan := scanned(t, killed.killed())
			if len(scan.Bad) > 0 || len(scan.Ops) > 3 || !slices.ContainsFunc(scan.Ops, func(o Op) bool { return o.ID == writeID(last) }) {
				t.Errorf("killed after %v: bad %v, %d is not among %v", m.steps[at-2:at+1], scan.Bad, last, scan.Ops)
			}
		}
	}
	if kills < 12 || kills > 200 {
		t.Errorf("%d kills", kills)
	}
}

// What a full disk refused does not count.
func TestRefusedWritesDoNotCount(t *testing.T) {
	m := newMemFS()
	f := newFile(t, m)
	m.full = true
	for range reserveStep {
		before := f.s.Used()
		err := f.Attributes(mode("0600")) // takes room in the journal alone
		if err == nil {
			continue
		}
		if used := f.s.Used(); !errors.Is(err, ErrNoSpace) || used != before {
			t.Errorf("%d bytes count, %d before: %v", used, before, err)
		}
		return
	}
	t.Error("the disk never was full")
}

// A disk that has no room for a new log leaves the old one in use.
func TestOpsOnAFullDisk(t *testing.T) {
	m := newMemFS()
	sp, err := Open("/spool", Options{FS: m})
	must(t, err)
	var ends []func()
	for i := 0; len(m.files["/spool/ops"].b) < 2*opsCompact; i++ {
		end, err := sp.Begin(Op{ID: writeID(i), Key: "k", Kind: "delete"})
		must(t, err)
		ends = append(ends, end)
	}
	m.full = true
	for _, end := range ends[:len(ends)-1] {
		end()
	}
	if m.files["/spool/ops.new"] != nil || len(m.files["/spool/ops"].b) < opsCompact {
		t.Error("the old log is not in use, or part of the new one stays")
	}
	m.full = false
	if _, err = sp.Begin(Op{ID: "last", Key: "k", Kind: "delete"}); err != nil {
		t.Fatal(err)
	}
	if scan := scanned(t, m.killed()); !slices.ContainsFunc(scan.Ops, func(o Op) bool { return o.ID == "last" }) {
		t.Errorf("%d are found, the last is not", len(scan.Ops))
	}
}

// A journal that is longer than what is read of it at a time is read whole, and its memory does not
// grow with it.
func TestLongJournal(t *testing.T) {
	const n = 3 * window / (recordHead + writeSize)
	m := newMemFS()
	f := newFile(t, m)
	for i := range n {
		must(t, f.WriteAt([]byte{byte(i)}, int64(2*i)))
	}
	disk := m.killed()
	scan := scanned(t, disk)
	if len(scan.Files) != 1 || scan.Files[0].Tail == nil || scan.Files[0].Tail.Local() != n || scan.Files[0].Tail.Size() != 2*n-1 {
		t.Fatalf("found %+v, bad %v", scan.Files, scan.Bad)
	}
	r, err := openRecords(disk, "/spool/f-000001/journal")
	must(t, err)
	for off := int64(0); off < r.size; {
		_, _, m, err := r.decode(off)
		must(t, err)
		off += m
	}
	if _, err := r.followed(0); err != nil || cap(r.buf) > 2*window {
		t.Errorf("%d bytes are held, %v", cap(r.buf), err)
	}
	// Damage in front of a sound record is found wherever it is.
	for _, at := range []int{window - 1, window, 2*window + 5} {
		damaged := m.killed()
		damaged.files["/spool/f-000001/journal"].b[at] ^= 1
		if scan := scanned(t, damaged); len(scan.Bad) != 1 {
			t.Errorf("damage at %d is not found", at)
		}
	}
}
