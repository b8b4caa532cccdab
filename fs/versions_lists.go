package fs

import (
	"sync"
	"time"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/store"
)

// maxListedVersions bounds the weight of all lists that are kept, at about 0.5 KiB for each
// version.
const maxListedVersions = 10_000

// Versions is what a mount remembers for a while of the versions in its bucket.
type Versions struct {
	lists versionLists
	begun beginnings
}

// NewVersions returns one that remembers nothing.
func NewVersions() *Versions {
	return &Versions{versionLists{lists: make(map[string]*versionList)}, beginnings{kept: make(map[string]*beginning)}}
}

// Forget lets the versions of a key be listed anew, since this host has changed it.
func (v *Versions) Forget(key string) {
	v.lists.forget(key)
	v.begun.forget(key)
}

// Changed is what the open files of a mount tell of their changes to: its names and its versions.
func Changed(names *tree.Tree, versions *Versions) func(key string, i *store.Info) {
	return func(key string, i *store.Info) {
		names.Note(key, i)
		versions.Forget(key)
	}
}

// keepLists is how long a list is kept to tell which version a name is of.
const keepLists = time.Minute

// versionLists keeps the versions of names as they were listed a while ago, since ls -l looks
// up each name that it has read. The nodes keep no list: the kernel may know them for ever.
//
// INVARIANT: held is the weight of lists, and at most maxListedVersions, unless a single list
// weighs more.
type versionLists struct {
	mu    sync.Mutex // guards what follows
	lists map[string]*versionList
	held  int
}

type versionList struct {
	versions []history.Version
	last     *file.Attr // of the last one that is no deletion; nil: not known yet
	at       time.Time  // when the bucket was asked for it
	expiry   *time.Timer
}

// weight is that of the versions and of the list itself.
func (v *versionList) weight() int { return 1 + len(v.versions) }

// get returns the versions of a key, if they were listed within this time.
func (l *versionLists) get(key string, within time.Duration) ([]history.Version, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v := l.lists[key]; v != nil && time.Since(v.at) < within {
		return v.versions, true
	}
	return nil, false
}

// put keeps the versions of a key, which were asked for at that time, at the expense of the lists that
// are oldest.
func (l *versionLists) put(key string, versions []history.Version, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(key)
	keep := keepLists - time.Since(at)
	if keep <= 0 {
		return
	}
	v := &versionList{versions: versions, at: at}
	v.expiry = time.AfterFunc(keep, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.lists[key] == v {
			l.drop(key)
		}
	})
	for l.held+v.weight() > maxListedVersions && len(l.lists) > 0 {
		l.drop(l.oldest())
	}
	l.lists[key] = v
	l.held += v.weight()
}

// last gives what putLast kept beside these versions, as get gave them; nil if there is nothing.
func (l *versionLists) last(key string, versions []history.Version) *file.Attr {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v := l.lists[key]; v.holds(versions) {
		return v.last
	}
	return nil
}

// putLast keeps the attributes of the last version that is no deletion for as long as the list.
func (l *versionLists) putLast(key string, versions []history.Version, a file.Attr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v := l.lists[key]; v.holds(versions) {
		v.last = &a
	}
}

// holds tells whether it is this very list.
func (v *versionList) holds(versions []history.Version) bool {
	return v != nil && len(v.versions) > 0 && len(versions) > 0 && &v.versions[0] == &versions[0]
}

// forget lets the next one who asks for the versions of a key have a new list.
func (l *versionLists) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(key)
}

// drop is forget. l.mu is held.
func (l *versionLists) drop(key string) {
	if v := l.lists[key]; v != nil {
		v.expiry.Stop()
		delete(l.lists, key)
		l.held -= v.weight()
	}
}

// oldest is the key whose list is the oldest. l.mu is held.
func (l *versionLists) oldest() (key string) {
	var at time.Time
	for k, v := range l.lists {
		if at.IsZero() || v.at.Before(at) {
			key, at = k, v.at
		}
	}
	return key
}
