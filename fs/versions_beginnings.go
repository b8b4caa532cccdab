package fs

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/latchfs/latchfs/fs/history"
)

// maxBeginnings bounds the beginnings that are kept, each of a page of some 0.5 MiB.
const maxBeginnings = 16

// beginnings keeps what the look-up of a name in .versions has read of its versions, for the listing
// that comes next: ls .versions/NAME then takes no request more than the pages of the listing.
type beginnings struct {
	mu   sync.Mutex // guards what follows
	kept map[string]*beginning
}

type beginning struct {
	history.Beginning
	at     time.Time // when the bucket was asked
	expiry *time.Timer
}

// put keeps a beginning for as long as names are believed, at the expense of the oldest.
func (b *beginnings) put(key string, read history.Beginning, at time.Time, believed time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(key)
	left := believed - time.Since(at)
	if left <= 0 {
		return
	}
	if len(b.kept) == maxBeginnings {
		b.drop(slices.MinFunc(slices.Collect(maps.Keys(b.kept)), func(one, two string) int { return b.kept[one].at.Compare(b.kept[two].at) }))
	}
	n := &beginning{Beginning: read, at: at}
	n.expiry = time.AfterFunc(left, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.kept[key] == n {
			b.drop(key)
		}
	})
	b.kept[key] = n
}

// take gives what was read within this time, for one use.
func (b *beginnings) take(key string, within time.Duration) (read history.Beginning, at time.Time, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.kept[key]
	if n == nil {
		return read, at, false
	}
	b.drop(key)
	return n.Beginning, n.at, time.Since(n.at) < within
}

// forget lets the next listing of a key begin anew.
func (b *beginnings) forget(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(key)
}

// drop is forget. b.mu is held.
func (b *beginnings) drop(key string) {
	if n := b.kept[key]; n != nil {
		n.expiry.Stop()
		delete(b.kept, key)
	}
}
