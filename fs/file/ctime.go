package file

import (
	"sync"
	"time"

	"github.com/latchfs/latchfs/store"
)

// Where the times of a file come from, whoever asks:
//
//   - mtime is what the metadata say. Every commit of ours writes it there. Else it is
//     LastModified, to which the ETag gives nanoseconds (store.Info.ModTime).
//   - ctime is LastModified, in the second of which mtime may be known better. Of a version that
//     this mount made it is the time of the change: LastModified is the same moment by
//     another clock, in whole seconds, and some time later. Whoever was told the one and then
//     the other would take it for another change, as tar does. Whatever version is found later,
//     ctime does not go back.
//
// While a file is live its core has both; afterwards Table.Attributes is the only place where
// they are derived.

// changedMax bounds the names of which it is remembered when they were changed here. Twice as
// many may be kept, of about 300 bytes each.
const changedMax = 10_000

// changed remembers when names were changed here, the latest ones.
type changed struct {
	mu         sync.Mutex // a leaf
	young, old map[string]changedAt
}

// A changedAt is the ctime that a name has had, and the version of ours that it is of.
type changedAt struct {
	version store.Base
	at      time.Time
}

// note says that the name is or was shown with this ctime, which is that of the version, or of
// what became of none.
func (c *changed) note(key string, version store.Base, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if was, ok := c.get(key); ok {
		at = later(was.at, at)
	}
	if len(c.young) >= changedMax || c.young == nil {
		c.young, c.old = make(map[string]changedAt), c.young
	}
	c.young[key] = changedAt{version, at}
}

func (c *changed) get(key string) (changedAt, bool) {
	if was, ok := c.young[key]; ok {
		return was, true
	}
	was, ok := c.old[key]
	return was, ok
}

// ctime is that of the version under a name for which the bucket alone gives at.
func (c *changed) ctime(key string, version store.Base, at time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, ok := c.get(key)
	switch {
	case !ok:
		return at
	case !version.Absent() && was.version.Same(version):
		return was.at
	}
	return later(was.at, at)
}

// Attributes are those of an object that was found, with what was changed here since.
func (t *Table) Attributes(i store.Info) Attr {
	a := AttrOf(i, t.o.Defaults)
	a.Ctime = t.changedHere.ctime(i.Key, a.Base, a.Ctime)
	return a
}

// bucketCtime is ctime by what an object says of itself.
func bucketCtime(modified, mtime time.Time) time.Time {
	if mtime.After(modified) && mtime.Sub(modified) < time.Second {
		return mtime
	}
	return modified
}

// changedNow is the ctime of a change that is made now to what had the ctime was. It is another
// one, also if another host's clock, which gave the last one, is ahead.
func changedNow(was time.Time) time.Time {
	return later(time.Now(), was.Add(1))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
