package fs

import (
	"sync"
	"time"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
)

// maxListedVersions bounds the weight of all lists that are kept, at about 0.5 KiB for each
// version.
const maxListedVersions = 10_000

// versionLists keeps the versions of names as they were listed a moment ago, since ls -l looks
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
	at       time.Time  // when it was kept
	expiry   *time.Timer
}

// weight is that of the versions and of the list itself.
func (v *versionList) weight() int { return 1 + len(v.versions) }

// get returns the versions of a key, if they are kept.
func (l *versionLists) get(key string) ([]history.Version, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v := l.lists[key]; v != nil {
		return v.versions, true
	}
	return nil, false
}

// put keeps the versions of a key for so long, at the expense of those that were kept first.
func (l *versionLists) put(key string, versions []history.Version, keep time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(key)
	if keep <= 0 {
		return
	}
	v := &versionList{versions: versions, at: time.Now()}
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

// oldest is the key whose list was kept first. l.mu is held.
func (l *versionLists) oldest() (key string) {
	var at time.Time
	for k, v := range l.lists {
		if at.IsZero() || v.at.Before(at) {
			key, at = k, v.at
		}
	}
	return key
}
