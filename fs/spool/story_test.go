package spool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/store"
)

const baseText = "the base version"

var crashBase = store.Base{ETag: "e1", VersionID: "v1"}

// version is a version that a commit of the story makes.
func version(n int) store.Base {
	return store.Base{ETag: fmt.Sprint("e", n), VersionID: fmt.Sprint("v", n)}
}

func mode(m string) store.Props { return store.Props{Meta: map[string]string{"mode": m}} }

// A state is what a recovery has to find of a file, or of the operations.
type state struct {
	key, base string
	text      string
	mode      string
	changed   bool // bytes, since the last seal
	attrs     bool // attributes, since the last seal
	unlinked  bool
	seals     []sealState
	ops       []string
}

type sealState struct {
	id, base, text, mode      string
	copy, attempted, unleased bool
}

func (s state) clone() state {
	s.seals, s.ops = slices.Clone(s.seals), slices.Clone(s.ops)
	return s
}

// seal is the seal with this id.
func (s *state) seal(id string) *sealState {
	return &s.seals[slices.IndexFunc(s.seals, func(x sealState) bool { return x.id == id })]
}

func (s state) String() string {
	var b strings.Builder
	if len(s.ops) > 0 {
		fmt.Fprint(&b, s.ops)
	}
	if len(s.seals) > 0 || s.changed || s.attrs {
		fmt.Fprintf(&b, "%s on %s", s.key, s.base)
		for _, x := range s.seals {
			fmt.Fprintf(&b, "; sealed %+v", x)
		}
		if s.changed {
			fmt.Fprintf(&b, "; tail %q", s.text)
		}
		fmt.Fprintf(&b, "; mode %s, attrs %v, unlinked %v", s.mode, s.attrs, s.unlinked)
	}
	if b.Len() == 0 {
		return "nothing"
	}
	return b.String()
}

// A story is what one process does with its spool, and what a recovery has to find after
// each step that has succeeded.
type story struct {
	sp  *Spool
	f   *File
	now state
	// past are the states so far, the last one is that of now; synced is the one that the
	// last sync has made durable.
	past   []string
	synced int
	next   string // what the running step makes of now
	// either: the last step may count although it fails.
	either bool
	// versions are the contents that the file of the story had in the bucket, by ETag.
	versions map[string]string
}

// tell runs a story on the disk m. It ends at the first error.
func tell(m *memFS, steps func(*story) []func() error) (*story, error) {
	s := &story{past: []string{"nothing"}, next: "nothing", versions: map[string]string{crashBase.ETag: baseText}}
	var err error
	if s.sp, err = Open("/spool", Options{FS: m}); err != nil {
		return s, err
	}
	for _, step := range steps(s) {
		if err := step(); err != nil {
			return s, err
		}
	}
	return s, nil
}

// do runs op, which makes of the state what change does.
func (s *story) do(change func(*state), op func() error) error {
	next := s.now.clone()
	change(&next)
	s.next = next.String()
	if err := op(); err != nil {
		return err
	}
	s.now, s.past = next, append(s.past, s.next)
	return nil
}

func (s *story) create() error {
	return s.do(func(x *state) {
		*x = state{key: "dir/a", base: crashBase.ETag, text: baseText, mode: "base"}
	}, func() (err error) {
		s.f, err = s.sp.Create(Header{Key: "dir/a", Base: crashBase, BaseSize: int64(len(baseText)), Size: int64(len(baseText)), Props: mode("base")})
		return err
	})
}

func (s *story) write(off int, p string) func() error {
	return func() error {
		return s.do(func(x *state) {
			b := []byte(x.text)
			b = append(b, make([]byte, max(0, off+len(p)-len(b)))...)
			copy(b[off:], p)
			x.text, x.changed = string(b), true
		}, func() error { return s.f.WriteAt([]byte(p), int64(off)) })
	}
}

func (s *story) truncate(n int) func() error {
	return func() error {
		return s.do(func(x *state) { x.text, x.changed = x.text[:n], true }, func() error { return s.f.Truncate(int64(n)) })
	}
}

func (s *story) attributes(m string) func() error {
	return func() error {
		return s.do(func(x *state) { x.mode, x.attrs = m, true }, func() error { return s.f.Attributes(mode(m)) })
	}
}

// seal seals with the mode that the file has. Its base is known, or 0 while the one that it
// follows has not landed. replaces is how many of the seals before it have been given up.
func (s *story) seal(id, after string, base int, replaces int) func() error {
	return func() error {
		seal := Seal{ID: store.WriteID(id), After: store.WriteID(after), Props: mode(s.now.mode), Copy: !s.now.changed}
		known := store.Base{}
		if base > 0 {
			known = version(base)
		}
		if after == "" {
			seal.Base = known
		}
		return s.do(func(x *state) {
			x.seals = append(x.seals[:len(x.seals)-replaces], sealState{id: id, base: known.ETag, text: x.text, mode: x.mode, copy: seal.Copy})
			x.changed, x.attrs = false, false
		}, func() error {
			_, err := s.f.Seal(seal)
			return err
		})
	}
}

func (s *story) attempt(id string, unleased bool) func() error {
	return func() error {
		return s.do(func(x *state) {
			a := x.seal(id)
			a.attempted, a.unleased = true, a.unleased || unleased
		}, func() error { return s.f.Attempt(store.WriteID(id), unleased) })
	}
}

func (s *story) failed(id string) func() error {
	return func() error {
		return s.do(func(x *state) {
			x.seal(id).attempted, x.seal(id).unleased = false, false
		}, func() error { return s.f.Failed(store.WriteID(id)) })
	}
}

// landed lands the first n seals with the last of them, as the version v.
func (s *story) landed(n, v int) func() error {
	return func() error {
		id := store.WriteID(s.now.seals[n-1].id)
		s.versions[version(v).ETag] = s.now.seals[n-1].text
		return s.do(func(x *state) {
			x.seals, x.base = x.seals[n:], version(v).ETag
			if len(x.seals) > 0 {
				x.seals[0].base = x.base
			}
		}, func() error { return s.f.Landed(id, version(v)) })
	}
}

// moved gives the file another name, under which the version v has the same bytes.
func (s *story) moved(key string, v int) func() error {
	return func() error {
		s.versions[version(v).ETag] = s.versions[s.now.base]
		return s.do(func(x *state) {
			x.key, x.base = key, version(v).ETag
			if len(x.seals) > 0 {
				x.seals[0].base = x.base
			}
		}, func() error { return s.f.Moved(key, version(v)) })
	}
}

func (s *story) unlinking() error {
	return s.do(func(x *state) { x.unlinked = true }, s.f.Unlinking)
}

func (s *story) linked() error {
	return s.do(func(x *state) { x.unlinked = false }, s.f.Linked)
}

func (s *story) sync() error {
	s.next = s.past[len(s.past)-1]
	if err := s.f.Sync(); err != nil {
		return err
	}
	s.synced = len(s.past) - 1
	return nil
}

func (s *story) drop() error {
	s.either = true
	return s.do(func(x *state) { *x = state{} }, s.f.Drop)
}

// errNotNoted: the end of an operation could not be recorded, which its caller never learns.
var errNotNoted = errors.New("the end of an operation was not noted")

// begin begins an operation and remembers how to end it.
func (s *story) begin(op Op, end *func()) func() error {
	return func() error {
		return s.do(func(x *state) { x.ops = append(x.ops, opText(op)) }, func() (err error) {
			*end, err = s.sp.Begin(op)
			return err
		})
	}
}

func (s *story) end(op Op, end *func()) func() error {
	return func() error {
		return s.do(func(x *state) {
			x.ops = slices.DeleteFunc(x.ops, func(o string) bool { return o == opText(op) })
		}, func() error {
			before := s.sp.ops.end
			(*end)()
			if s.sp.ops.end == before {
				return errNotNoted
			}
			return nil
		})
	}
}

func opText(op Op) string { return fmt.Sprint(op.Kind, op.ID, op.Key, op.Upload) }

func scanned(t *testing.T, m *memFS) *Scan {
	t.Helper()
	scan, err := ScanDir("/spool", m)
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	return scan
}

// found reads everything that a recovery would find of the story. versions are the contents
// in the bucket by ETag.
func found(t *testing.T, m *memFS, versions map[string]string) string {
	t.Helper()
	scan := scanned(t, m)
	if len(scan.Files) > 1 {
		t.Fatalf("found %d files", len(scan.Files))
	}
	if len(scan.Bad) > 0 {
		t.Errorf("set aside: %v", scan.Bad)
	}
	var x state
	for _, op := range scan.Ops {
		x.ops = append(x.ops, opText(op))
	}
	for _, f := range scan.Files {
		foundFile(t, f, versions, &x)
	}
	return x.String()
}

func foundFile(t *testing.T, f *Found, versions map[string]string, x *state) {
	t.Helper()
	text := func(s Snapshot) string {
		b := make([]byte, s.Size())
		base := versions[f.Base.ETag]
		if n, err := s.Reader(context.Background(), baseBytes(base)).ReadAt(b, 0); n < len(b) && err != nil {
			t.Fatalf("reading what was found: %v", err)
		}
		return string(b)
	}
	if want := int64(len(versions[f.Base.ETag])); f.BaseSize != want {
		t.Errorf("the base has %d bytes, want %d", f.BaseSize, want)
	}
	x.key, x.base, x.mode, x.attrs, x.unlinked = f.Key, f.Base.ETag, f.Props.Meta["mode"], f.Attrs, f.Unlinked
	for _, s := range f.Seals {
		x.seals = append(x.seals, sealState{
			id: string(s.ID), base: s.Base.ETag, text: text(s.Snapshot), mode: s.Props.Meta["mode"],
			copy: s.Copy, attempted: s.Attempted, unleased: s.Unleased,
		})
	}
	if f.Tail != nil {
		x.text, x.changed = text(*f.Tail), true
	}
}
