package tree

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"
)

// suffix shows that an object shares its name with a directory.
const suffix = "~file"

// MayBeShown tells whether a name may be one that giveSuffixes gave.
func MayBeShown(name string) bool {
	return strings.HasSuffix(name, suffix) && len(name) <= maxName
}

// giveSuffixes gives objects whose names are those of directories other names: with the suffix
// at their end, as often as it takes until no other entry has the name. That depends only on
// what the directory holds, so that all mounts show the same. Objects for which no name is left
// that a path can have are left out.
func giveSuffixes(both []Entry, taken func(name string) bool) []Entry {
	slices.SortFunc(both, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	given := make(map[string]bool, len(both))
	for i := range both {
		name := both[i].Name
		for n := 1; taken(name) || given[name]; n++ {
			name = withSuffix(both[i].Name, n)
		}
		both[i].Name = name
		given[name] = true
	}
	return slices.DeleteFunc(both, func(e Entry) bool { return checkName(e.Name) != nil })
}

// Shown gives entries, each under the name of its key, the names and the order of List.
func Shown(entries []Entry) []Entry {
	entries = show(entries)
	sortByName(entries)
	return entries
}

// show is Shown without the order.
func show(entries []Entry) []Entry {
	dirs, objects := make(map[string]bool), make(map[string]bool)
	for _, e := range entries {
		if e.Dir {
			dirs[e.Name] = true
		}
	}
	shown := make([]Entry, 0, len(entries))
	var both []Entry
	for _, e := range entries {
		switch {
		case e.Dir:
			shown = append(shown, e)
		case dirs[e.Name]:
			both = append(both, e)
		default:
			objects[e.Name] = true
			shown = append(shown, e)
		}
	}
	return append(shown, giveSuffixes(both, func(name string) bool { return dirs[name] || objects[name] })...)
}

// withSuffix puts the suffix n times at the end of a name, which it cuts to what fits.
func withSuffix(name string, n int) string {
	end := strings.Repeat(suffix, n)
	for name != "" && len(name)+len(end) > maxName {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name + end
}

// lookupShown looks up a name that is not that of a key, but may be one which giveSuffixes
// gave; what the name stands for is seen only beside all others of the directory. If it is
// not, the error is that which the name has otherwise.
func (t *Tree) lookupShown(ctx context.Context, dir, name string, otherwise error) (Entry, error) {
	entries, err := t.List(ctx, dir)
	if err != nil {
		return Entry{}, err
	}
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == name && !e.Dir && e.Key != dir+name })
	if i < 0 {
		return Entry{}, otherwise
	}
	s, err := t.state(ctx, dir, entries[i].Key[len(dir):])
	switch {
	case err != nil:
		return Entry{}, err
	case s.object.info == nil || !s.below.yes: // not both any more
		return Entry{}, otherwise
	}
	return s.file(name, entries[i].Key), nil
}
