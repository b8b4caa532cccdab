package tree

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/latchfs/latchfs/store"
)

// Errors of names.
var (
	// ErrNameTooLong: the name is over 255 bytes (NAME_MAX of Linux) or its key over 1,024
	// (the limit of S3).
	ErrNameTooLong = errors.New("name too long")
	// ErrNotUTF8: keys of S3 are UTF-8.
	ErrNotUTF8 = errors.New("name is not UTF-8")
	// ErrReserved: the name is one that no file can have: ".latchfs" at the bucket's root,
	// "", ".", "..", or one with a slash or NUL in it.
	ErrReserved = errors.New("name is reserved")
)

const (
	maxName = 255
	// reservedName holds the bucket's bond to its lock table, at the root of the bucket
	// whatever prefix is mounted.
	reservedName = ".latchfs"
)

// Root returns the key of the mount's root: the prefix it was made with.
func (t *Tree) Root() string { return t.root }

// Key returns the key of a file in a directory. It fails with ErrNameTooLong, ErrNotUTF8 or
// ErrReserved.
func (t *Tree) Key(dir, name string) (string, error) { return join(dir, name, "") }

// DirKey returns the key of a directory in a directory. It fails as Key does.
func (t *Tree) DirKey(dir, name string) (string, error) { return join(dir, name, "/") }

func join(dir, name, end string) (string, error) {
	key := dir + name + end
	err := checkName(name)
	switch {
	case err != nil:
	case reserved(key):
		err = ErrReserved
	case len(key) > store.MaxKey:
		err = ErrNameTooLong
	default:
		return key, nil
	}
	return "", fmt.Errorf("%.300q in %q: %w", name, dir, err)
}

// checkName tells whether a path can have the name as a component.
func checkName(name string) error {
	switch {
	case name == "", name == ".", name == "..", strings.ContainsAny(name, "/\x00"):
		return ErrReserved
	case len(name) > maxName:
		return ErrNameTooLong
	case !utf8.ValidString(name):
		return ErrNotUTF8
	}
	return nil
}

// reserved tells whether the key is the program's own.
func reserved(key string) bool {
	rest, ok := strings.CutPrefix(key, reservedName)
	return ok && (rest == "" || rest[0] == '/')
}

// Child returns the name under which a key appears in the directory dir, with which it
// begins, and whether that is because of a directory (its marker, or a key below it). ok is
// false for the directory's own marker, for keys that no path can name, and for the
// program's own.
func Child(dir, key string) (name string, isDir, ok bool) {
	name, _, isDir = strings.Cut(key[len(dir):], "/")
	return name, isDir, checkName(name) == nil && !reserved(dir+name)
}

// Nameable tells whether a path below the root can name the object with that key, which begins
// with the root's. The program's own keys can be named by none.
func Nameable(root, key string) bool {
	for dir := root; dir != key; {
		name, isDir, ok := Child(dir, key)
		if !ok || !isDir {
			return ok
		}
		dir += name + "/"
	}
	return true
}

// parent returns the key of the directory that an object or directory is in.
func parent(key string) string {
	key = strings.TrimSuffix(key, "/")
	return key[:strings.LastIndexByte(key, '/')+1]
}

// ancestors returns the directories that a key is in, innermost first and without the
// root; a directory's key is one of its own.
func (t *Tree) ancestors(key string) []string {
	var dirs []string
	dir := key[:strings.LastIndexByte(key, '/')+1]
	for ; len(dir) > len(t.root); dir = parent(dir) {
		dirs = append(dirs, dir)
	}
	return dirs
}
