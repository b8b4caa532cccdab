package reader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/latchfs/latchfs/store"
)

// A Pinned reads one version of an object. Its methods may be called from several
// goroutines.
type Pinned struct {
	r    *Reader
	info store.Info

	// The fields below are guarded by r.mu.

	closed bool
	reads  int       // calls of ReadAt under way
	last   time.Time // when the last one began or ended
	asked  asked

	// run is how many bytes the sequence has read; 0 while there is none. Its window is
	// four times that.
	run int64
	pos int64 // end of what the sequence has asked for
	// next is where the next part begins. INVARIANT: while run > 0, no block is at or after next.
	next   int64
	strays int // reads since the last one that belonged to the sequence
	parts  int // requests under way
	// blocks are in order of their offsets and do not overlap.
	blocks []*block
}

// ReadAt fills b with the bytes at off. At the end of the object n < len(b), with io.EOF.
// It fails with ErrChanged if the version is gone, with the cause of ctx once that ends,
// and after Close with os.ErrClosed. On any error the first n bytes are right.
func (p *Pinned) ReadAt(ctx context.Context, b []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("reading %q: negative offset %d", p.info.Key, off)
	}
	if len(b) == 0 {
		return 0, nil
	}
	left := p.info.Size - off
	if left <= 0 {
		return 0, io.EOF
	}
	short := int64(len(b)) > left
	if short {
		b = b[:left]
	}
	if err := p.begin(off, off+int64(len(b))); err != nil {
		return 0, err
	}
	defer p.finish()
	for n < len(b) {
		m, err := p.read(ctx, b[n:], off+int64(n))
		n += m
		if err != nil {
			return n, fmt.Errorf("reading %q at %d: %w", p.info.Key, off, err)
		}
	}
	if short {
		return n, io.EOF
	}
	return n, nil
}

// ReadFull is ReadAt without io.EOF: at the end of the object n < len(b), and that is no
// error.
func (p *Pinned) ReadFull(ctx context.Context, b []byte, off int64) (n int, err error) {
	n, err = p.ReadAt(ctx, b, off)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// Close gives up what was read ahead. It does not wait: requests under way are cancelled, and
// their memory goes back as they end. A ReadAt that began before goes on without it.
func (p *Pinned) Close() {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	p.closed = true
	p.stop()
}

func (p *Pinned) begin(off, end int64) error {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.closed {
		return fmt.Errorf("reading %q: %w", p.info.Key, os.ErrClosed)
	}
	p.reads++
	p.last = time.Now()
	p.follow(off, end)
	return nil
}

func (p *Pinned) finish() {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	p.reads--
	p.last = time.Now()
}

// read reads the first bytes of b: those of one block, or those up to the next block. It
// may return 0 without an error after a wait for a block that failed.
func (p *Pinned) read(ctx context.Context, b []byte, off int64) (n int, err error) {
	bl, gap := p.use(off, int64(len(b)))
	if bl == nil {
		s := source{get: p.r.get, info: p.info, off: off, end: off + gap}
		defer s.close()
		return s.readFull(ctx, b[:gap])
	}
	defer func() { p.letGo(bl, n) }()
	select {
	case <-bl.ready:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	if bl.err != nil {
		return 0, nil
	}
	return copy(b, bl.buf[off-bl.off:bl.size]), nil
}

// changed turns the errors that say that a version is not there into ErrChanged. A range beyond
// the end means the same: the pinned version has these bytes.
func changed(err error) error {
	for _, e := range []error{store.ErrNotFound, store.ErrPrecondition, store.ErrBadRange} {
		if errors.Is(err, e) {
			// The cause is told, not wrapped: it is no missing file to whoever reads.
			return fmt.Errorf("%w: %v", ErrChanged, err)
		}
	}
	return err
}
