package fs

import (
	"context"
	"time"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/tree"
)

// dirAttr gives the attributes of a directory the times of its entries: those of its marker, or
// of the mount where it has none, if nothing in it has changed since. Who changed the marker
// without setting its times may have known less of its entries than this mount.
func (f *front) dirAttr(key string, a file.Attr) file.Attr {
	at, order := f.tree.Changed(key, tree.Marker{Base: a.Base, Set: a.MtimeSet})
	switch {
	case at.IsZero():
	case order == tree.MarkerLater:
		a.Ctime = newer(at.Add(1), a.Ctime)
	case order == tree.ModeLater:
		a.Mtime, a.Ctime = newer(at, a.Mtime), newer(at.Add(1), a.Ctime)
	case a.Base.Absent() && a.Ctime.After(at): // it has changed before the mount began
	default:
		a.Mtime, a.Atime, a.Ctime = at, at, newer(at, a.Ctime)
	}
	return a
}

func newer(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// rootWait is how long GETATTR of the root waits for the bucket: each path begins there, also
// those of files that need no bucket.
const rootWait = time.Second

// rootAttr are the attributes of the root. No look-up of it shows what others did, and the kernel
// asks for them at each walk: so the bucket is asked only if somebody has read the root here, who
// may want to know whether to read it again. Without an answer the times stay as they were.
func (d *dirNode) rootAttr(ctx context.Context) file.Attr {
	if d.wasRead.Load() {
		ctx, cancel := context.WithTimeout(ctx, rootWait)
		defer cancel()
		if err := d.f.tree.Watch(ctx, d.key); err != nil {
			d.f.log.Debug("whether the root has changed is not known", "err", err)
		}
	}
	return d.f.dirAttr(d.key, d.f.bareDir())
}

// changed notes that an entry of the directory was made or removed here.
func (d *dirNode) changed() { d.f.tree.Touch(d.key) }
