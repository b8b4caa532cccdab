package reader

import (
	"context"
	"errors"
	"slices"
	"sort"
)

// errDropped ends the wait for a block that was given up before it was full. It is never
// returned: whoever waited fetches what he needs himself.
var errDropped = errors.New("dropped")

// A block is a stretch of a version in memory, or on its way there.
type block struct {
	off    int64
	buf    *[blockSize]byte
	size   int64              // bytes of the stretch
	cancel context.CancelFunc // ends the request that fills it
	ready  chan struct{}      // closed when the block is full or never will be
	err    error              // why it never will be; set before ready is closed

	// The fields below are guarded by Reader.mu.

	ended  bool  // ready is closed
	refs   int   // by Pinned.blocks, by the request, and one for each read
	unread int64 // bytes
}

func (b *block) end() int64 { return b.off + b.size }

// finish tells those who wait for the block how it came out. Only the first call counts.
// Reader.mu is held.
func (b *block) finish(err error) {
	if !b.ended {
		b.ended, b.err = true, err
		close(b.ready)
	}
}

// release ends one use; the last one gives the memory back. r.mu is held.
func (r *Reader) release(b *block) {
	b.refs--
	if b.refs > 0 {
		return
	}
	r.buffers.Put(b.buf)
	b.buf = nil
	r.used--
}

// at returns the index of the first block that ends after off. r.mu is held.
func (p *Pinned) at(off int64) int {
	return sort.Search(len(p.blocks), func(i int) bool { return p.blocks[i].end() > off })
}

// has tells whether a block has the byte at off. r.mu is held.
func (p *Pinned) has(off int64) bool {
	i := p.at(off)
	return i < len(p.blocks) && p.blocks[i].off <= off
}

// use returns the block that has the byte at off, which the caller lets go by letGo; or nil and
// the number of bytes until the next block, up to limit.
func (p *Pinned) use(off, limit int64) (*block, int64) {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	i := p.at(off)
	if i == len(p.blocks) {
		return nil, limit
	}
	b := p.blocks[i]
	if b.off > off {
		return nil, min(limit, b.off-off)
	}
	b.refs++
	return b, 0
}

// letGo lets the block go after n bytes of it were read.
func (p *Pinned) letGo(b *block, n int) {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	b.unread -= int64(n)
	if b.unread <= 0 {
		p.drop(b)
	}
	p.r.release(b)
}

// drop takes the block off the list, if it is there, and ends the request of one that is
// not full: parts are filled in order, so that what the request has yet to bring is not
// wanted either. r.mu is held.
func (p *Pinned) drop(b *block) {
	i := slices.Index(p.blocks, b)
	if i < 0 {
		return
	}
	p.blocks = slices.Delete(p.blocks, i, i+1)
	if len(p.blocks) == 0 {
		delete(p.r.owners, p)
	}
	if !b.ended {
		b.finish(errDropped)
		b.cancel()
	}
	p.r.release(b)
}
