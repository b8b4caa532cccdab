package tree

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/store"
)

// A key that Key or DirKey made can be named, and others by what they hold at each level.
func TestNameable(t *testing.T) {
	long := strings.Repeat("n", 256)
	for _, tt := range []struct {
		root, key string
		want      bool
	}{
		{"", "a", true}, {"", "a/", true}, {"", "a/b/c", true}, {"", ".versions/a", true},
		{"", "a//b", false}, {"", "a//", false}, {"", "/", false}, {"", "/a", false},
		{"", "./a", false}, {"", "a/..", false}, {"", "a/../b", false}, {"", "a/.", false}, {"", "...", true},
		{"", "a\x00b", false}, {"", "a/\xff", false}, {"", long, false}, {"", "a/" + long + "/b", false}, {"", long[1:], true},
		{"", ".latchfs", false}, {"", ".latchfs/x", false}, {"", ".latchfs2", true},
		{"p/", "p/", true}, {"p/", "p/a", true}, {"p/", "p//a", false}, {"p/", "p/.latchfs/x", true},
	} {
		if got := Nameable(tt.root, tt.key); got != tt.want {
			t.Errorf("%.40q below %q: %v", tt.key, tt.root, got)
		}
	}
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

func TestKeys(t *testing.T) {
	long := strings.Repeat("n", 255)
	deep := strings.Repeat(strings.Repeat("d", 99)+"/", 10) // 1,000 bytes
	for _, tt := range []struct {
		dir, name string
		key, dirs error
	}{
		{"", "a", nil, nil},
		{"d/e/", "a b+c%\n\x01", nil, nil},
		{"", "ä", nil, nil},
		{"", long, nil, nil},
		{"", long + "n", ErrNameTooLong, ErrNameTooLong},
		{deep, strings.Repeat("n", 23), nil, nil},
		{deep, strings.Repeat("n", 24), nil, ErrNameTooLong},
		{deep, strings.Repeat("n", 25), ErrNameTooLong, ErrNameTooLong},
		{"", "\xff", ErrNotUTF8, ErrNotUTF8},
		{"", "", ErrReserved, ErrReserved},
		{"", ".", ErrReserved, ErrReserved},
		{"d/", "..", ErrReserved, ErrReserved},
		{"", "...", nil, nil},
		{"", "a/b", ErrReserved, ErrReserved},
		{"", "a\x00", ErrReserved, ErrReserved},
		{"", ".latchfs", ErrReserved, ErrReserved},
		{".latchfs/", "bucket.json", ErrReserved, ErrReserved},
		{"", ".latchfs2", nil, nil},
		{"d/", ".latchfs", nil, nil},
	} {
		tr := New(newBucket(), Options{})
		key, err := tr.Key(tt.dir, tt.name)
		if !errors.Is(err, tt.key) || err == nil && key != tt.dir+tt.name {
			t.Errorf("Key(%q, %q) = %q, %v, want %v", tt.dir, tt.name, key, err, tt.key)
		}
		key, err = tr.DirKey(tt.dir, tt.name)
		if !errors.Is(err, tt.dirs) || err == nil && key != tt.dir+tt.name+"/" {
			t.Errorf("DirKey(%q, %q) = %q, %v, want %v", tt.dir, tt.name, key, err, tt.dirs)
		}
	}
}

func TestChild(t *testing.T) {
	for _, tt := range []struct {
		dir, key, name string
		isDir, ok      bool
	}{
		{"", "a", "a", false, true},
		{"", "a/", "a", true, true},
		{"", "a/b", "a", true, true},
		{"a/", "a/b", "b", false, true},
		{"a/", "a/", "", false, false},
		{"a/", "a//b", "", true, false},
		{"", "/", "", true, false},
		{"", "../x", "..", true, false},
		{"", ".latchfs/bucket.json", ".latchfs", true, false},
		{"a/", "a/.latchfs/x", ".latchfs", true, true},
		{"", "\xfe", "\xfe", false, false},
	} {
		name, isDir, ok := Child(tt.dir, tt.key)
		if name != tt.name || isDir != tt.isDir || ok != tt.ok {
			t.Errorf("child(%q, %q) = %q, %v, %v", tt.dir, tt.key, name, isDir, ok)
		}
	}
}

func TestAncestors(t *testing.T) {
	for _, tt := range []struct{ root, key, want string }{
		{"", "a", ""},
		{"", "a/", "a/"},
		{"", "a/b/c", "a/b/ a/"},
		{"", "a/b/", "a/b/ a/"},
		{"a/", "a/b/c", "a/b/"},
		{"a/", "a/b", ""},
		{"", "a//b", "a// a/"},
	} {
		got := New(newBucket(), Options{Prefix: tt.root}).ancestors(tt.key)
		if !slices.Equal(got, strings.Fields(tt.want)) {
			t.Errorf("ancestors(%q) below %q = %q, want %q", tt.key, tt.root, got, tt.want)
		}
	}
}
