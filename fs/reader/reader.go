package reader

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/latchfs/latchfs/store"
)

// ErrChanged: the pinned version is gone or, in a bucket without versions, was replaced.
var ErrChanged = errors.New("the version that was opened is gone")

// A Getter gives objects' bytes. Get makes its own attempts; it fails with
// store.ErrNotFound or store.ErrPrecondition if the version asked for is not there. ctx
// governs the body too: once it ends, a Read of the body returns. Get is called from
// several goroutines.
type Getter interface {
	Get(ctx context.Context, key string, o store.GetOptions) (*store.Object, error)
}

const (
	// blockSize is the unit of memory in bytes: small, so that the first bytes of a part are
	// there early and a small budget still serves several files.
	blockSize = 256 << 10
	// idle is how long a file is not read before its memory may be taken for another one.
	idle = 2 * time.Second
)

// A Reader is the source of the pinned versions of one mount, which share its memory.
type Reader struct {
	get Getter
	max int // blocks

	// buffers are blocks that are not in use. The garbage collector may have them.
	buffers sync.Pool

	mu sync.Mutex
	// The fields below are guarded by mu.

	used   int                  // blocks; INVARIANT: used <= max
	owners map[*Pinned]struct{} // those with blocks
}

// New returns a Reader that takes at most budget bytes of memory for read-ahead.
func New(g Getter, budget int64) *Reader {
	return &Reader{
		get: g, max: int(max(0, budget/blockSize)), owners: make(map[*Pinned]struct{}),
		buffers: sync.Pool{New: func() any { return new([blockSize]byte) }},
	}
}

// Pin returns a reader of the version that i describes: key, size, version id and ETag
// count. It sends nothing.
func (r *Reader) Pin(i store.Info) *Pinned { return &Pinned{r: r, info: i} }

// Used returns the bytes of the budget that are in use.
func (r *Reader) Used() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(r.used) * blockSize
}

// share returns how many blocks a file that has own of them may have: as many as are free
// beside it, so that n files that want more end with equal shares and leave as much for
// the next one. r.mu is held.
func (r *Reader) share(own, want int) int {
	if share := (r.max - r.used + own + 1) / 2; share >= want {
		return share
	}
	r.reclaim()
	return (r.max - r.used + own + 1) / 2
}

// take returns up to n buffers. r.mu is held.
func (r *Reader) take(n int) []*[blockSize]byte {
	bufs := make([]*[blockSize]byte, min(n, r.max-r.used))
	for i := range bufs {
		bufs[i] = r.buffers.Get().(*[blockSize]byte)
	}
	r.used += len(bufs)
	return bufs
}

// reclaim takes the blocks of all files that rest. r.mu is held.
func (r *Reader) reclaim() {
	for p := range r.owners {
		if p.reads == 0 && time.Since(p.last) >= idle {
			p.stop()
		}
	}
}
