package store

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"time"
)

const (
	// maxBuffers bounds the part buffers of a Client, PartSize bytes each.
	maxBuffers = 8
	// smallBody is the size up to which a body gets memory of its own.
	smallBody = 64 << 10
)

// buffers bounds the memory of the bodies on their way.
type buffers struct {
	slots chan struct{} // one in it for each buffer in use
	idle  sync.Pool     // of *[]byte
}

func newBuffers() *buffers {
	return &buffers{
		slots: make(chan struct{}, maxBuffers),
		idle:  sync.Pool{New: func() any { b := make([]byte, PartSize); return &b }},
	}
}

// get waits for a buffer of n bytes, at most PartSize. free gives it back.
func (b *buffers) get(ctx context.Context, n int64) (buf []byte, free func(), err error) {
	if n <= smallBody {
		return make([]byte, n), func() {}, nil
	}
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	p := b.idle.Get().(*[]byte)
	return (*p)[:n], func() { b.idle.Put(p); <-b.slots }, nil
}

// A bodyError is an error of the Body that the caller gave: sending again is of no use.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "reading what is to be sent: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// A load is a piece of a Body that is ready to be sent in one attempt.
type load struct {
	from io.ReaderAt // from 0 to size
	size int64
	sum  string // CRC32C in base64
	free func()
	// handed, if set, is told how many bytes were handed out so far.
	handed func(at int64)
}

// load reads n bytes of the body from off into a buffer. More than a buffer holds is read
// twice: now for the checksum, and when it is sent. moving, if set, is told that reading goes on.
func (c *Client) load(ctx context.Context, a attempt, b Body, off, n int64, moving func()) (load, error) {
	buf, free, err := c.buffers.get(ctx, min(n, PartSize))
	if err != nil {
		return load{}, a.failed(Unsent, err)
	}
	section := io.NewSectionReader(b, off, n)
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for left := n; left > 0; left -= int64(len(buf)) {
		buf = buf[:min(left, int64(len(buf)))]
		if _, err := io.ReadFull(section, buf); err != nil {
			free()
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF // shorter than it said
			}
			return load{}, a.failed(Refused, &bodyError{err})
		}
		sum.Write(buf) // never fails
		if moving != nil {
			moving()
		}
		if ctx.Err() != nil {
			free()
			return load{}, a.failed(Unsent, context.Cause(ctx))
		}
	}
	l := load{from: section, size: n, sum: base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum.Sum32())), free: free}
	if n <= PartSize {
		l.from = bytesAt(buf)
	} else {
		free()
		l.free = func() {}
	}
	return l, nil
}

// send makes one attempt with a loaded body.
func send[T any](ctx context.Context, c *Client, a attempt, l load, request func(context.Context, BodyReader) (T, error)) (T, error) {
	defer l.free()
	var b *body
	v, err := try(ctx, c, a, func(ctx context.Context, w *watch) (T, error) {
		b = &body{load: l, permit: a.permit, watch: w, answer: a.answer}
		// The transport may go on reading after it has returned; the buffer is another's then.
		defer b.end()
		return request(ctx, b)
	})
	if b != nil && err != nil && b.err != nil && fateOf(err) != Unknown {
		return v, b.failed(a)
	}
	return v, err
}

// A body is the BodyReader of one attempt.
type body struct {
	load
	permit Permit
	watch  *watch
	answer time.Duration // how long the server may take after the last byte, if longer than before

	mu   sync.Mutex // guards what follows, and from until the attempt is over
	at   int64
	over bool
	err  error // why Read failed
}

var errOver = errors.New("the attempt is over")

// Read hands out the last byte only while the permit is valid: without it the server
// cannot act on the request, however long it is on its way.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.over:
		return 0, errOver
	case b.at >= b.size:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	p = p[:min(int64(len(p)), b.size-b.at)]
	n, err := b.from.ReadAt(p, b.at)
	if n < len(p) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		b.err = &bodyError{err}
		return 0, b.err
	}
	if b.at+int64(n) == b.size {
		if err := b.permit.Check(); err != nil {
			b.err = notPermitted(err)
			return 0, b.err
		}
	}
	b.at += int64(n)
	if b.watch.progress(); b.at == b.size {
		b.watch.extend(b.answer)
	}
	if b.handed != nil {
		b.handed(b.at)
	}
	return n, nil
}

// Seek implements io.Seeker; the SDK rewinds.
func (b *body) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += b.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seeking to %d", offset)
	}
	b.at = offset
	return offset, nil
}

// end keeps whoever still has the body from reading it.
func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}

// failed is the end of an attempt whose body could not be read.
func (b *body) failed(a attempt) error {
	if errors.Is(b.err, ErrNotPermitted) {
		return a.failed(Unsent, b.err)
	}
	return a.failed(Refused, b.err)
}

// bytesAt is an io.ReaderAt over bytes.
type bytesAt []byte

func (b bytesAt) ReadAt(p []byte, off int64) (int, error) { return copy(p, b[off:]), nil }
