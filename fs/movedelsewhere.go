package fs

import (
	"context"
	"errors"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/store"
)

// A file that another host has renamed keeps its number, which a node of its old name may have here
// as long as nobody looks that name up. The node gives the number up, if the bucket says that the old
// name is not that file's any more; else two files claim the number, and the first one keeps it.

// freeNumber takes the name from the node of another name that has the number of a file, if that
// is old. It asks the bucket only where there is such a node.
func (f *front) freeNumber(ctx context.Context, key string, a file.Attr) {
	if a.Number == 0 || a.Number == file.Number(key, 0) {
		return
	}
	n := f.numberHolder(a.Number, key)
	if n == nil {
		return
	}
	n.mu.Lock()
	parent, name, old := n.parent, n.name, n.key
	n.mu.Unlock()
	f.tree.Forget(old)
	e, err := f.find(ctx, parent, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) || err == nil && e.key == old && (e.live || e.attr.Number == a.Number) {
		return
	}
	if f.numberHolder(a.Number, key) == n {
		n.dropFrom(old)
		go parent.NotifyDelete(name, n.EmbeddedInode())
	}
}

// numberHolder is the node of a file under another name that has a number and that nobody has open, or nil.
func (f *front) numberHolder(number uint64, key string) *fileNode {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.numbers[number] {
		now := n.keyNow()
		if fn, ok := n.(*fileNode); ok && now != key && f.current[now] == n && !fn.isOpen() {
			return fn
		}
	}
	return nil
}
