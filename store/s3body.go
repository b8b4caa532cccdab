package store

import (
	"errors"
	"io"
	"sync"
)

// errStopped is what the HTTP client reads after the attempt has ended.
var errStopped = errors.New("the attempt has ended")

// An s3Body hands out the body of one attempt and knows how much of it it has. net/http
// may read on after an early answer; stop ends that.
type s3Body struct {
	size int64

	mu   sync.Mutex // guards the fields below; held while from is read
	from io.ReadSeeker
	pos  int64
	// whole: the last byte was handed out. It stays true when somebody seeks back, since
	// bytes that were sent cannot be taken back.
	whole   bool
	err     error // of from
	stopped bool
}

func newS3Body(from io.ReadSeeker, size int64) *s3Body {
	b := &s3Body{size: size, from: from}
	b.Seek(0, io.SeekStart) // an error is met again by Read
	return b
}

// Read implements io.Reader.
func (b *s3Body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopped:
		return 0, errStopped
	case b.err != nil:
		return 0, b.err
	case b.pos == b.size:
		return 0, io.EOF
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.size-b.pos)])
	b.pos += int64(n)
	if b.pos == b.size {
		b.whole = true
		return n, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	b.err = err
	return n, err
}

// Seek implements io.Seeker. The SDK seeks to find the size, then back to the start.
func (b *s3Body) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += b.pos
	case io.SeekEnd:
		offset += b.size
	}
	if _, err := b.from.Seek(offset, io.SeekStart); err != nil {
		b.err = err
		return 0, err
	}
	b.pos = offset
	return offset, nil
}

// stop lets no byte out any more and tells whether the last one was, and why reading
// failed if it did. A nil body is whole.
func (b *s3Body) stop() (whole bool, err error) {
	if b == nil {
		return true, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	return b.whole, b.err
}
