package volume

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// readNames turns the names of a path below a mount into a key below its root, and, where the path
// leads through a view of versions (SEMANTICS ".versions/"), into the name of a version:
//
//	a/b                           a/b
//	a/.versions                   a/
//	a/.versions/NAME              a/NAME
//	a/.versions/NAME/VERSION      a/NAME, VERSION
//	a/.versions/NAME/@REV         a/NAME, REV
//	a/.versions/NAME/.versions    a/NAME/, a directory that was
//	a/.versions/@/TIME/b/c        a/b/c, TIME
func readNames(names []string, versions string) (key, rev string, err error) {
	versions = cmp.Or(versions, versionsName)
	if versions == versionsOff {
		return strings.Join(names, "/"), "", nil
	}
	i := slices.Index(names, versions)
	if i < 0 {
		return strings.Join(names, "/"), "", nil
	}
	dir := dirOf(names[:i])
	for {
		rest := names[i+1:]
		switch {
		case len(rest) == 0, rest[0] == "@" && len(rest) == 1:
			return dir, "", nil
		case rest[0] == "@" && len(rest) == 2:
			return dir, rest[1], nil
		case rest[0] == "@":
			return dir + strings.Join(rest[2:], "/"), rest[1], nil
		case len(rest) == 1:
			return dir + rest[0], "", nil
		case rest[1] == versions:
			dir += rest[0] + "/"
			i += 2
		case len(rest) == 2:
			return dir + rest[0], versionOf(rest[1]), nil
		default:
			return "", "", errors.New("leads into a version, which is no directory")
		}
	}
}

// dirOf is the key of the directory that these names lead to.
func dirOf(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return strings.Join(names, "/") + "/"
}

// versionOf is the version that a name in .versions/NAME/ stands for: a version's own, or one of those
// that are links to it.
func versionOf(name string) string {
	alias, ok := strings.CutPrefix(name, "@")
	switch {
	case !ok:
		return name
	case alias == "prev":
		return "~1"
	}
	return alias
}
