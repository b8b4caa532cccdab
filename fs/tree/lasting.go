package tree

// lasting are the directories that stay although the bucket may have no key of them any more,
// because this mount removed something from them: names by the directory they are in. A
// program that removes the last file of a directory expects the directory to be there still,
// and S3 has none without a key.
//
// A removal makes the directories above it lasting, from the first one on that has no marker. A
// marker keeps a directory for all hosts, and where it is gone, somebody has removed the directory.
//
// A request that is sent later and finds keys in a lasting directory shows that the removal was not
// of its last entry: then it is lasting no more. So a directory is lost again only if it was seen
// non-empty after our last removal, and then others emptied it.
//
// INVARIANT: the directory of a lasting one is lasting, or is the root. It grows with the number of
// directories that were emptied and not removed.
type lasting map[string]map[string]struct{}

func (l lasting) has(dir string) bool {
	up, name := split(dir)
	_, ok := l[up][name]
	return ok
}

func (l lasting) add(dir string) {
	up, name := split(dir)
	if l[up] == nil {
		l[up] = make(map[string]struct{})
	}
	l[up][name] = struct{}{}
}

// drop lets go of a directory that has keys, unless a lasting one is in it.
func (l lasting) drop(dir string) {
	if len(l[dir]) > 0 {
		return
	}
	up, name := split(dir)
	delete(l[up], name)
	if len(l[up]) == 0 {
		delete(l, up)
	}
}

// remove lets go of a directory and of all below it.
func (l lasting) remove(dir string) {
	for name := range l[dir] {
		l.remove(dir + name + "/")
	}
	l.drop(dir)
}

// split returns the directory that a directory is in and its name there.
func split(dir string) (up, name string) {
	up = parent(dir)
	return up, dir[len(up) : len(dir)-1]
}
