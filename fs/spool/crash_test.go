package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/store"
)

var crashBase = store.Base{ETag: "e1", VersionID: "v1"}

const baseText = "the base version"

// story runs a dirty file from its first byte to its end and records, after each step that
// succeeded, what a recovery must find from then on.
type story struct {
	accepted string // content that was accepted last
	before   string // content before the operation that is running
	sealed   string // content of the last seal
	isSealed bool   // and it has no answer
	trying   bool   // the running operation may or may not count
	synced   string // content at the last sync
	isSynced bool
	// syncedSeal: the seal without an answer is synced.
	syncedSeal bool
	done       bool
}

// run does the story on the disk; it ends early at a crash.
func (s *story) run(m *memFS) error {
	s.accepted, s.before = baseText, baseText
	sp, err := Open("/spool", Options{FS: m})
	if err != nil {
		return err
	}
	f, err := sp.Create(Header{Key: "dir/a", Base: crashBase, BaseSize: int64(len(baseText)), Size: int64(len(baseText))})
	if err != nil {
		return err
	}
	write := func(off int64, p string) error {
		s.before = s.accepted
		b := []byte(s.accepted)
		for int64(len(b)) < off+int64(len(p)) {
			b = append(b, 0)
		}
		copy(b[off:], p)
		s.accepted = string(b)
		s.trying = true
		if err := f.WriteAt([]byte(p), off); err != nil {
			return err
		}
		s.trying = false
		return nil
	}
	seal := func(id string) error {
		s.trying = true
		s.before = s.accepted
		if _, err := f.Seal(Seal{ID: store.WriteID(id), Base: crashBase}); err != nil {
			return err
		}
		s.sealed, s.isSealed, s.trying, s.syncedSeal = s.accepted, true, false, false
		return nil
	}
	sync := func() error {
		if err := f.Sync(); err != nil {
			return err
		}
		s.synced, s.isSynced, s.syncedSeal = s.accepted, true, s.isSealed
		return nil
	}
	steps := []func() error{
		func() error { return write(4, "BASE") },
		func() error { return write(30, "beyond the end, after a hole") },
		sync,
		func() error { return write(0, "THE") },
		func() error { return seal("w1") },
		func() error { return f.Attempt("w1") },
		func() error { return write(4, "newer") },
		sync,
		func() error {
			s.before, s.trying = s.accepted, true
			s.accepted = s.accepted[:12]
			err := f.Truncate(12)
			s.trying = err != nil
			return err
		},
		func() error { return f.Failed("w1") },
		func() error { return seal("w2") },
		sync,
		func() error { return f.Attempt("w2") },
		func() error {
			if err := f.Landed("w2", store.Base{ETag: "e2", VersionID: "v2"}); err != nil {
				return err
			}
			s.done = true
			return nil
		},
		f.Drop,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// found reads everything a recovery would save of the only file.
func found(t *testing.T, m *memFS) (sealed, tail *string, scan *Scan) {
	t.Helper()
	scan, err := ScanDir("/spool", m)
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	if len(scan.Files) > 1 {
		t.Fatalf("found %d files", len(scan.Files))
	}
	if len(scan.Files) == 0 {
		return nil, nil, scan
	}
	f := scan.Files[0]
	text := func(s *Snapshot) *string {
		b := make([]byte, s.Size())
		if n, err := s.Reader(context.Background(), baseBytes(baseText)).ReadAt(b, 0); n < len(b) && err != nil {
			t.Fatalf("reading what was found: %v", err)
		}
		str := string(b)
		return &str
	}
	if f.Sealed != nil {
		sealed = text(&f.Sealed.Snapshot)
	}
	if f.Tail != nil {
		tail = text(f.Tail)
	}
	return sealed, tail, scan
}

// SEMANTICS G5: what was accepted survives kill -9 at every step, and no more than what was
// asked to be saved is taken for sealed.
func TestKillAtEveryStep(t *testing.T) {
	total := countSteps(t)
	for at := 1; at <= total; at++ {
		m := newMemFS()
		m.crashAt = at
		var s story
		if err := s.run(m); err == nil || !errors.Is(err, errCrashed) {
			t.Fatalf("crash at step %d: the story ended with %v", at, err)
		}
		label := fmt.Sprintf("kill at step %d (%s)", at, m.steps[len(m.steps)-1])
		sealed, tail, scan := found(t, m.killed())
		if len(scan.Bad) > 0 {
			t.Errorf("%s: set aside: %v", label, scan.Bad)
		}
		last := baseText
		if sealed != nil {
			last = *sealed
		}
		if tail != nil {
			last = *tail
		}
		if s.done {
			if sealed != nil || tail != nil {
				t.Errorf("%s: found %q, %q of a file that was in the bucket", label, deref(sealed), deref(tail))
			}
			continue
		}
		if last != s.accepted && (!s.trying || last != s.before) {
			// The answer of w2 may be on the disk though the step did not return.
			if !(sealed == nil && tail == nil && s.isSealed && s.sealed == s.accepted) {
				t.Errorf("%s: found %q, accepted were %q", label, last, s.accepted)
			}
		}
		if s.isSealed && sealed != nil && *sealed != s.sealed && *sealed != s.accepted {
			t.Errorf("%s: found the seal %q, want %q", label, *sealed, s.sealed)
		}
		if s.isSealed && sealed == nil && s.sealed != s.accepted {
			t.Errorf("%s: the seal is gone", label)
		}
	}
}

// SEMANTICS G5, power cut: what was sealed and synced is found; bytes of open files may
// fall back, but to what the file was at one moment.
func TestPowerCutAtEveryStep(t *testing.T) {
	total := countSteps(t)
	for at := 1; at <= total; at++ {
		for seed := range uint64(20) {
			m := newMemFS()
			m.crashAt = at
			var s story
			_ = s.run(m)
			r := rand.New(rand.NewPCG(uint64(at), seed))
			disk := m.powerCut(func(string, int) bool { return r.IntN(2) == 0 })
			label := fmt.Sprintf("power cut at step %d (%s), seed %d", at, m.steps[len(m.steps)-1], seed)
			sealed, tail, scan := found(t, disk)
			if len(scan.Bad) > 0 {
				t.Errorf("%s: set aside: %v", label, scan.Bad)
			}
			if s.done {
				continue
			}
			moments := moments()
			for _, got := range []*string{sealed, tail} {
				if got != nil && !moments[*got] {
					t.Errorf("%s: found a mixture %q", label, *got)
				}
			}
			if s.syncedSeal && sealed == nil {
				t.Errorf("%s: the synced seal is gone", label)
			}
			if s.isSynced && sealed == nil && tail == nil {
				t.Errorf("%s: synced bytes are gone", label)
			}
		}
	}
}

// moments are all contents that the file of the story ever had.
func moments() map[string]bool {
	one := "the BASE version"
	two := one + string(make([]byte, 14)) + "beyond the end, after a hole"
	three := "THE" + two[3:]
	four := three[:4] + "newer" + three[9:]
	return map[string]bool{baseText: true, one: true, two: true, three: true, four: true, four[:12]: true}
}

func countSteps(t *testing.T) int {
	t.Helper()
	m := newMemFS()
	var s story
	if err := s.run(m); err != nil {
		t.Fatal(err)
	}
	if n, _ := m.ReadDir("/spool"); len(n) != 2 { // format and ops
		t.Fatalf("left in the spool: %v", n)
	}
	return len(m.steps)
}

func deref(s *string) string {
	if s == nil {
		return "nothing"
	}
	return *s
}

// A step that fails with ENOSPC or EIO refuses what was asked and harms nothing before it.
func TestFailureAtEveryStep(t *testing.T) {
	total := countSteps(t)
	for _, fault := range []error{unix.ENOSPC, unix.EIO} {
		for at := 1; at <= total; at++ {
			m := newMemFS()
			m.failAt, m.failErr = at, fault
			var s story
			err := s.run(m)
			label := fmt.Sprintf("%v at step %d (%s)", fault, at, m.steps[at-1])
			if err == nil {
				t.Errorf("%s: not reported", label)
				continue
			}
			if fault == unix.ENOSPC && !errors.Is(err, ErrNoSpace) && m.steps[at-1] != "remove data" &&
				m.steps[at-1] != "remove journal" && m.steps[at-1] != "remove f-000001" && m.steps[at-1] != "syncdir spool" &&
				at > 4 {
				t.Errorf("%s: %v is not ErrNoSpace", label, err)
			}
			if s.done {
				continue
			}
			sealed, tail, scan := found(t, m.killed())
			if len(scan.Bad) > 0 {
				t.Errorf("%s: set aside: %v", label, scan.Bad)
			}
			last := baseText
			if sealed != nil {
				last = *sealed
			}
			if tail != nil {
				last = *tail
			}
			want := s.accepted
			if s.trying {
				want = s.before
			}
			if last != want {
				t.Errorf("%s: found %q, want %q", label, last, want)
			}
		}
	}
}

// A journal whose synced part is damaged is set aside with its data, not guessed at.
func TestDamagedJournalIsSetAside(t *testing.T) {
	m := newMemFS()
	sp, err := Open("/spool", Options{FS: m})
	if err != nil {
		t.Fatal(err)
	}
	f, err := sp.Create(Header{Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := f.WriteAt([]byte("bytes"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	disk := m.killed()
	j := disk.files["/spool/f-000001/journal"]
	j.b[len(j.b)-80] ^= 1
	_, _, scan := found(t, disk)
	if len(scan.Bad) != 1 || len(scan.Files) != 0 {
		t.Fatalf("bad %v, files %d", scan.Bad, len(scan.Files))
	}
	if disk.files["/spool/bad-f-000001/data"] == nil {
		t.Error("the data was not kept")
	}
	again, err := ScanDir("/spool", disk)
	if err != nil || len(again.Bad) != 1 {
		t.Errorf("second scan: %v, bad %v", err, again.Bad)
	}
}

// Where the machine ran on there is no torn middle: a bad record with sound ones behind it
// is damage, and what was accepted behind it is not dropped for it.
func TestDamageOfTheSameBootIsSetAside(t *testing.T) {
	for _, hit := range []string{"open record", "write record", "seal", "data"} {
		t.Run(hit, func(t *testing.T) {
			m := newMemFS()
			sp, err := Open("/spool", Options{FS: m})
			if err != nil {
				t.Fatal(err)
			}
			f, err := sp.Create(Header{Key: "a"})
			if err != nil {
				t.Fatal(err)
			}
			opened := len(m.files["/spool/f-000001/journal"].b)
			if err := f.WriteAt([]byte("bytes"), 0); err != nil {
				t.Fatal(err)
			}
			written := len(m.files["/spool/f-000001/journal"].b)
			if _, err := f.Seal(Seal{ID: "w"}); err != nil {
				t.Fatal(err)
			}
			if err := f.Attempt("w"); err != nil {
				t.Fatal(err)
			}
			disk := m.killed()
			j, d := disk.files["/spool/f-000001/journal"].b, disk.files["/spool/f-000001/data"].b
			switch hit {
			case "open record":
				j[5] ^= 1
			case "write record":
				j[opened+10] ^= 1
			case "seal":
				j[written+20] ^= 1
			case "data":
				d[2] ^= 1
			}
			if _, _, scan := found(t, disk); len(scan.Bad) != 1 || len(scan.Files) != 0 {
				t.Errorf("bad %v, files %d", scan.Bad, len(scan.Files))
			}
			if disk.files["/spool/bad-f-000001/data"] == nil {
				t.Error("the data was not kept")
			}
		})
	}
}

func TestLimit(t *testing.T) {
	sp, err := Open("/spool", Options{FS: newMemFS(), Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	f, err := sp.Create(Header{Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.WriteAt(make([]byte, 8), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteAt(make([]byte, 3), 0); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("over the limit: %v", err)
	}
	if err := f.WriteAt(make([]byte, 2), 8); err != nil {
		t.Errorf("within the limit: %v", err)
	}
	if err := f.Drop(); err != nil {
		t.Fatal(err)
	}
	if sp.Used() != 0 {
		t.Errorf("used %d after the drop", sp.Used())
	}
}

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
	_, _, scan := found(t, disk)
	if len(scan.Ops) != 1 || scan.Ops[0].Key != "b" || !scan.Unanswered("b") || scan.Unanswered("a") {
		t.Errorf("open operations: %+v", scan.Ops)
	}
}

// A request that definitely failed cannot land any more.
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
	check := func(step string, want bool) {
		t.Helper()
		if _, _, scan := found(t, m.killed()); scan.Unanswered("a") != want {
			t.Errorf("%s: unanswered is %v", step, !want)
		}
	}
	if _, err := f.Seal(Seal{ID: "w"}); err != nil {
		t.Fatal(err)
	}
	check("sealed", false)
	if err := f.Attempt("w"); err != nil {
		t.Fatal(err)
	}
	check("attempted", true)
	if err := f.Failed("w"); err != nil {
		t.Fatal(err)
	}
	check("failed", false)
}

// Another format number is refused, and nothing is touched.
func TestUnknownFormat(t *testing.T) {
	m := newMemFS()
	m.files["/spool/format"] = &memData{b: []byte("2\n")}
	if _, err := ScanDir("/spool", m); !errors.Is(err, ErrFormat) {
		t.Errorf("scan: %v", err)
	}
	if _, err := Open("/spool", Options{FS: m}); !errors.Is(err, ErrFormat) {
		t.Errorf("open: %v", err)
	}
	if len(m.steps) != 0 {
		t.Errorf("steps: %v", m.steps)
	}
}
