package tree

// kept is the directories that stay although the bucket may have no key of them any more,
// because this mount removed something from them: names by the directory they are in. A
// program that removes the last file of a directory expects the directory to be there still,
// and S3 has none without a key.
//
// A removal keeps all directories above it; a request sent later that finds keys in one
// shows that the removal was not of its last entry, and drops it. So a directory is lost again
// only if it was seen non-empty after our last removal, and then others emptied it.
//
// INVARIANT: the directory of a kept one is kept, or is the root. It grows with the number of
// directories that were emptied and not removed.
type kept map[string]map[string]struct{}

func (k kept) has(dir string) bool {
	up, name := split(dir)
	_, ok := k[up][name]
	return ok
}

func (k kept) add(dir string) {
	up, name := split(dir)
	if k[up] == nil {
		k[up] = make(map[string]struct{})
	}
	k[up][name] = struct{}{}
}

// drop ends the keeping of a directory that has keys, unless a kept one is in it.
func (k kept) drop(dir string) {
	if len(k[dir]) > 0 {
		return
	}
	up, name := split(dir)
	delete(k[up], name)
	if len(k[up]) == 0 {
		delete(k, up)
	}
}

// remove ends the keeping of a directory and of all below it.
func (k kept) remove(dir string) {
	for name := range k[dir] {
		k.remove(dir + name + "/")
	}
	k.drop(dir)
}

// split returns the directory that a directory is in and its name there.
func split(dir string) (up, name string) {
	up = parent(dir)
	return up, dir[len(up) : len(dir)-1]
}
