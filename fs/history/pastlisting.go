package history

import (
	"slices"
	"time"

	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/store"
)

// A pastListing is what stood in a directory at a time, as far as it was listed.
type pastListing struct {
	entries []tree.Entry // in the order of keys; once it is whole, by name and under the names shown
	// any: the directory was there. marker is the version of its marker, if that was.
	any    bool
	marker store.Info
	// whole: all of the directory was seen; else the first pages of it, up to the key done.
	whole bool
	done  string
	pages int
	seen  time.Time // when its oldest request was sent
	// lasts: it does not change any more (pastsettled.go).
	lasts bool
	// headless: its beginning is missing.
	headless bool
}

// weight is about the number of KiB that it takes.
func (l *pastListing) weight() int { return 1 + len(l.entries)/2 }

// clone gives one that may be changed.
func (l *pastListing) clone() *pastListing {
	c := *l
	c.entries = slices.Clone(l.entries)
	return &c
}

// add takes over what stood under a key of the directory dir. It gives the key of the directory in dir
// that it is in, "" if it is in none.
func (l *pastListing) add(dir string, i store.Info) (sub string) {
	l.any = true
	if i.Key == dir {
		l.marker = i
		return ""
	}
	name, isDir, ok := tree.Child(dir, i.Key)
	if !ok {
		return ""
	}
	e := tree.Entry{Name: name, Key: dir + name, Dir: isDir, Info: i, Seen: l.seen}
	if !isDir {
		l.entries = append(l.entries, e)
		return ""
	}
	if e.Key += "/"; e.Key != i.Key {
		e.Info = store.Info{}
	}
	if !l.endsWith(e.Key) {
		l.entries = append(l.entries, e)
	}
	return e.Key
}

// endsWith tells whether the last entry so far is a directory: the keys below it follow each other.
func (l *pastListing) endsWith(sub string) bool {
	n := len(l.entries)
	return n > 0 && l.entries[n-1].Key == sub
}

// end makes it whole.
func (l *pastListing) end() { l.whole, l.entries = true, tree.Shown(l.entries) }
