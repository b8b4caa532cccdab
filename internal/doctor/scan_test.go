package doctor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func scanned(root string, keys ...string) *scan {
	s := &scan{root: root, view: versionsDir}
	for _, k := range keys {
		s.see(k, int64(len(k)))
	}
	return s
}

func TestScanKinds(t *testing.T) {
	s := scanned("", ".latchfs/bucket.json", ".latchfs/probe/x", ".versions/a", "a", "a//b", "b/", "b/.versions", "c/d", "c/.versions/e/f")
	s.see("empty/", 0)
	for _, f := range []struct {
		name string
		got  finding
		want []string
	}{
		{"unnameable", s.unnameable, []string{"a//b"}},
		{"filled", s.filled, []string{"b/"}},
		{"both", s.both, []string{"a"}},
		{"versions", s.versions, []string{".versions/a", "b/.versions", "c/.versions/e/f"}},
	} {
		if !slices.Equal(f.got.first, f.want) || f.got.count != len(f.want) {
			t.Errorf("%s: %d, %q; want %q", f.name, f.got.count, f.got.first, f.want)
		}
	}
	if s.keys != 8 || !s.disordered {
		t.Errorf("%d keys, disordered %v; the program's own do not count, and c/.versions comes before c/d", s.keys, s.disordered)
	}
}

// Below a prefix a name is judged by what follows it, and .latchfs/ is a name as any other.
func TestScanPrefix(t *testing.T) {
	s := scanned(".versions/", ".versions/", ".versions/.latchfs/x", ".versions//x")
	if s.filled.count != 1 || s.versions.count != 0 || s.both.count != 0 || !slices.Equal(s.unnameable.first, []string{".versions//x"}) {
		t.Errorf("%+v", s)
	}
}

// However many there are, a line names the first ten.
func TestScanNamesTheFirst(t *testing.T) {
	s := &scan{}
	for i := range 25 {
		s.see(fmt.Sprintf("a//%02d", i), 0)
	}
	l := s.line("check", s.unnameable, "are odd", "rename them")
	if l.Status != Warn || l.Count != 25 || len(l.Keys) != firstKeys || l.Keys[9] != "a//09" {
		t.Errorf("%+v", l)
	}
	const want = `warn    check                                25 of 25 keys are odd: "a//00", "a//01", "a//02", "a//03", "a//04", "a//05", "a//06", "a//07", "a//08", "a//09", ...; rename them`
	if l.String() != want {
		t.Errorf("printed %q, want %q", l, want)
	}
}

// Objects beside keys below their name are found by one pass, whatever sorts between them, as a
// comparison of all pairs finds them; and no more is kept in mind than there are levels.
func TestScanBothModel(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 3000 {
		set := map[string]bool{}
		for range 1 + r.IntN(12) {
			var key strings.Builder
			for range 1 + r.IntN(5) {
				key.WriteByte("a/-0!"[r.IntN(5)])
			}
			set[key.String()] = true
		}
		var keys, want []string
		for k := range set {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		plain := &scan{}
		for _, k := range keys {
			plain.see(k, 0)
			if len(plain.files) > 5 {
				t.Fatalf("seed %d: %q keeps %q in mind", seed, keys, plain.files)
			}
			object := !strings.HasSuffix(k, "/") && !slices.Contains(plain.unnameable.first, k)
			if object && slices.ContainsFunc(keys, func(other string) bool { return strings.HasPrefix(other, k+"/") }) {
				want = append(want, k)
			}
		}
		got := slices.Sorted(slices.Values(plain.both.first))
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: of %q it finds %q, want %q", seed, keys, got, want)
		}
	}
}

// Keys that a mount hides are those of the name by which it shows versions.
func TestScanOfAnotherView(t *testing.T) {
	for view, want := range map[string]int{versionsDir: 2, "history": 1, "other": 0, noVersionsDir: 0} {
		s := &scan{view: view}
		for _, k := range []string{"a/.versions", "a/.versions/x", "a/history/x", "off/x"} {
			s.see(k, 0)
		}
		if s.versions.count != want {
			t.Errorf("%s: %q", view, s.versions.first)
		}
	}
}
