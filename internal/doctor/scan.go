package doctor

import (
	"slices"
	"strings"

	"github.com/latchfs/latchfs/fs/tree"
)

const (
	// firstKeys is how many keys a line names.
	firstKeys = 10
	// ownDir holds what latchfs itself keeps, at the root of the bucket.
	ownDir = ".latchfs/"
	// versionsDir is the name below which a mount shows the versions of a directory, unless it was
	// told another one.
	versionsDir = ".versions"
	// noVersionsDir says that it shows none.
	noVersionsDir = "off"
)

// A finding is the keys of one kind: how many, and the first of them.
type finding struct {
	count int
	first []string
}

func (f *finding) add(key string) {
	f.count++
	if len(f.first) < firstKeys {
		f.first = append(f.first, key)
	}
}

// A scan looks at the keys below a prefix, each once and in order of their bytes, and keeps
// in mind no more than some of them, however many there are.
type scan struct {
	root string // the prefix
	view string // the name of the virtual directory
	keys int

	unnameable finding // no path can name them
	filled     finding // markers of directories that hold bytes
	both       finding // objects beside keys below their own name
	versions   finding // a part of the key has the name of the virtual directory

	last string
	// disordered: the listing was not in order, so that both is not complete.
	disordered bool
	// files are the objects below which there may be keys yet to come, each a beginning of the
	// one after it: "a", "a-b" come before "a/c".
	files []string
}

// see takes the next key in.
func (s *scan) see(key string, size int64) {
	if strings.HasPrefix(key, ownDir) {
		return
	}
	s.keys++
	if key < s.last {
		s.disordered = true
	}
	s.last = key
	// Whatever stands below "a" begins with "a/", hence comes before "a0".
	for len(s.files) > 0 && key >= s.files[len(s.files)-1]+"0" {
		s.files = s.files[:len(s.files)-1]
	}
	s.files = slices.DeleteFunc(s.files, func(file string) bool {
		below := strings.HasPrefix(key, file+"/")
		if below {
			s.both.add(file)
		}
		return below
	})
	switch {
	case !tree.Nameable(s.root, key):
		s.unnameable.add(key)
		return
	case !strings.HasSuffix(key, "/") && key != s.root:
		s.files = append(s.files, key)
	case size > 0:
		s.filled.add(key)
	}
	if slices.Contains(strings.Split(key[len(s.root):], "/"), s.view) && s.view != noVersionsDir {
		s.versions.add(key)
	}
}
