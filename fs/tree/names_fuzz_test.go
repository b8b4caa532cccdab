package tree

import (
	"context"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/latchfs/latchfs/store"
)

// FuzzChild: whatever bytes a key has, its name in a directory is one that a path can have, and
// leads back to the key or to the directory that it is in; and whatever the name, its key is found
// under it. No two names have one key.
func FuzzChild(f *testing.F) {
	for _, c := range [][3]string{
		{"", "a", "b"}, {"", "a/", "a"}, {"d/", "a/b", "."}, {"a/b/", "/b", ".."}, {"", ".latchfs/bucket.json", ".latchfs"},
		{"d/", ".latchfs/x", ".latchfs"}, {"", "../x", "a\x00"}, {"", "\xfe", "\xff"}, {"", strings.Repeat("n", 256), strings.Repeat("n", 255)},
	} {
		f.Add(c[0], c[1], c[2])
	}
	f.Fuzz(func(t *testing.T, dir, rest, name string) {
		if dir != "" && !strings.HasSuffix(dir, "/") {
			dir += "/"
		}
		tr := New(newBucket(), Options{})
		if child, isDir, ok := Child(dir, dir+rest); ok {
			wantName(t, child)
			join := tr.Key
			if isDir {
				join = tr.DirKey
			}
			key, err := join(dir, child)
			switch {
			case len(dir+rest) > store.MaxKey: // S3 has no such key
			case err != nil:
				t.Errorf("%q of %q has no key: %v", child, dir+rest, err)
			case !isDir && key != dir+rest || !strings.HasPrefix(dir+rest, key):
				t.Errorf("%q in %q is %q, and leads to %q", dir+rest, dir, child, key)
			}
		}
		for isDir, join := range map[bool]func(dir, name string) (string, error){false: tr.Key, true: tr.DirKey} {
			key, err := join(dir, name)
			if err != nil {
				continue
			}
			wantName(t, name)
			if len(key) > store.MaxKey {
				t.Errorf("a key of %d bytes", len(key))
			}
			if got, gotDir, ok := Child(dir, key); !ok || got != name || gotDir != isDir {
				t.Errorf("%q in %q has the key %q, whose name is %q, %v, %v", name, dir, key, got, gotDir, ok)
			}
			if got := parent(key); got != dir {
				t.Errorf("%q is in %q, not in %q", key, got, dir)
			}
		}
	})
}

// wantName fails unless a path can have the name.
func wantName(t *testing.T, name string) {
	t.Helper()
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || len(name) > 255 || !utf8.ValidString(name) {
		t.Errorf("the name %q", name)
	}
}

// FuzzShown: whatever keys a directory holds, its entries have names of paths, no two the same,
// which depend on nothing but the keys. Each name is found by itself as it was listed. Every key
// that a path can name is shown, but for objects beside a directory of which no name is left.
func FuzzShown(f *testing.F) {
	long := strings.Repeat("n", 252)
	for _, keys := range []string{
		"", "a\na/b", "a\na/b\na~file\na~file/x", "a\na/b\na~file~file\na~file", ".\n..\n/\n//x\n.latchfs/y\n.latchfs", "a\x00\nb\xff\n\xfe/x",
		long + "\n" + long + "/x\n" + long[:250] + "~file", "ä~file\nä\nä/",
	} {
		f.Add("", keys)
		f.Add("d/", keys)
	}
	f.Fuzz(func(t *testing.T, dir, lines string) {
		if dir != "" && !strings.HasSuffix(dir, "/") {
			dir += "/"
		}
		keys := strings.Split(lines, "\n")
		if len(lines) > 4<<10 || len(keys) > 32 {
			return
		}
		slices.Sort(keys)
		b := newBucket()
		named := make(map[string]bool)
		for _, rest := range keys {
			key := dir + rest
			if rest == "" || len(key) > store.MaxKey {
				continue // keys of S3 are no longer
			}
			b.put(key)
			if name, isDir, ok := Child(dir, key); ok && isDir {
				named[dir+name+"/"] = true
			} else if ok {
				named[key] = true
			}
		}
		entries := listed(t, b, dir)
		seen, shown := make(map[string]bool), make(map[string]bool)
		tr := New(b, Options{})
		for _, e := range entries {
			wantName(t, e.Name)
			if seen[e.Name] {
				t.Errorf("two entries have the name %q", e.Name)
			}
			seen[e.Name], shown[e.Key] = true, true
			if !named[e.Key] {
				t.Errorf("%q shows %q, which is no key here", e.Name, e.Key)
			}
			if got, err := tr.Lookup(context.Background(), dir, e.Name); err != nil || got.Key != e.Key || got.Dir != e.Dir {
				t.Errorf("%q is listed as %q, and looked up as %q, %v", e.Name, e.Key, got.Key, err)
			}
		}
		for key := range named {
			if !shown[key] && !(named[key+"/"] && strings.Count(lines, suffix) > 0) {
				t.Errorf("%q is not shown", key)
			}
		}
		both := slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.Dir || dir+e.Name == e.Key })
		for i := range both {
			both[i].Name = both[i].Key[len(dir):]
		}
		slices.Reverse(both)
		for _, e := range giveSuffixes(both, func(name string) bool {
			return slices.ContainsFunc(entries, func(e Entry) bool { return e.Name == name && (e.Dir || dir+e.Name == e.Key) })
		}) {
			if !slices.ContainsFunc(entries, func(o Entry) bool { return o.Name == e.Name && o.Key == e.Key }) {
				t.Errorf("%q is %q in another order", e.Key, e.Name)
			}
		}
	})
}

func listed(t *testing.T, b *bucket, dir string) []Entry {
	t.Helper()
	entries, err := New(b, Options{}).List(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}
