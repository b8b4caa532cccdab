package reader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// text repeats with a prime length, so that bytes of a wrong offset are noticed.
var text = func() []byte {
	b := make([]byte, 65521)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}()

// fill fills b with what a server's object has at off.
func fill(b []byte, off int64) {
	for n := 0; n < len(b); {
		n += copy(b[n:], text[(off+int64(n))%int64(len(text)):])
	}
}

// A server is a bucket with one object. Its versions differ in the id alone.
type server struct {
	info store.Info
	// latency passes before an answer, or what slow says, if it is set.
	latency time.Duration
	slow    func(store.Range) time.Duration
	// broken, if set, gives the error and the number of bytes after which the n-th answer
	// (from 0) breaks off; a negative number means not at all.
	broken func(n int, r store.Range) (int64, error)

	mu   sync.Mutex
	gets []span
	opts []store.GetOptions
	sent int64
	open int   // bodies that were not closed
	fail error // what Get fails with
}

func newServer(size int64) *server {
	return &server{info: store.Info{Key: "k", ETag: "e", VersionID: "v", Size: size}}
}

func (s *server) Get(ctx context.Context, key string, o store.GetOptions) (*store.Object, error) {
	s.mu.Lock()
	n := len(s.gets)
	s.gets = append(s.gets, span{o.Range.Offset, o.Range.Offset + o.Range.Length})
	s.opts = append(s.opts, o)
	s.mu.Unlock()
	latency := s.latency
	if s.slow != nil {
		latency = s.slow(*o.Range)
	}
	if latency > 0 {
		select {
		case <-time.After(latency):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.fail != nil:
		return nil, s.fail
	case key != s.info.Key || o.VersionID != "" && o.VersionID != s.info.VersionID:
		return nil, fmt.Errorf("get: %w", store.ErrNotFound)
	case o.IfMatch != "" && o.IfMatch != s.info.ETag:
		return nil, fmt.Errorf("get: %w", store.ErrPrecondition)
	case o.Range.Offset >= s.info.Size:
		return nil, fmt.Errorf("get: %w", store.ErrBadRange)
	}
	b := &body{s: s, ctx: ctx, off: o.Range.Offset, end: o.Range.Offset + o.Range.Length, err: io.EOF}
	if s.broken != nil {
		if after, err := s.broken(n, *o.Range); after >= 0 {
			b.end, b.err = min(b.end, b.off+after), err
		}
	}
	s.open++
	return &store.Object{Info: s.info, Body: b}, nil
}

type body struct {
	s        *server
	ctx      context.Context
	off, end int64
	err      error // at the end
	closed   bool
}

func (b *body) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, b.ctx.Err()
	}
	if b.off == b.end {
		return 0, b.err
	}
	p = p[:min(int64(len(p)), b.end-b.off, 100*kib)]
	fill(p, b.off)
	b.off += int64(len(p))
	b.s.mu.Lock()
	b.s.sent += int64(len(p))
	b.s.mu.Unlock()
	return len(p), nil
}

func (b *body) Close() error {
	if b.closed {
		panic("a body was closed twice")
	}
	b.closed = true
	b.s.mu.Lock()
	b.s.open--
	b.s.mu.Unlock()
	return nil
}

// answers returns the ranges that were asked for, in order of their offsets.
func (s *server) answers() []span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(slices.Values(s.gets), func(a, b span) int { return int(a.off - b.off) })
}

// once checks that no byte was asked for twice and returns how many were asked for.
func (s *server) once(t *testing.T) (n int64) {
	t.Helper()
	end := int64(0)
	for _, g := range s.answers() {
		if g.off < end {
			t.Errorf("[%d, %d) was fetched again", g.off, min(end, g.end))
		}
		end = max(end, g.end)
		n += g.end - g.off
	}
	return n
}

// done checks that nothing is left behind: no memory, no open body.
func (s *server) done(t *testing.T, r *Reader) {
	t.Helper()
	if r.Used() != 0 {
		t.Errorf("%d bytes of the budget did not come back", r.Used())
	}
	r.mu.Lock()
	if len(r.owners) != 0 {
		t.Errorf("%d files are remembered", len(r.owners))
	}
	r.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != 0 {
		t.Errorf("%d bodies were not closed", s.open)
	}
}

// read reads n bytes at off and checks them.
func read(t *testing.T, p *Pinned, off, n int64) {
	t.Helper()
	if err := tryRead(context.Background(), p, off, n); err != nil {
		t.Fatal(err)
	}
}

func tryRead(ctx context.Context, p *Pinned, off, n int64) error {
	b := make([]byte, n)
	m, err := p.ReadAt(ctx, b, off)
	if end := max(0, p.info.Size-off); end < n {
		if err == io.EOF {
			err = nil
		} else if err == nil {
			err = errors.New("no io.EOF at the end")
		}
		n = end
	}
	for i := 0; i < m; {
		exp := text[(off+int64(i))%int64(len(text)):]
		exp = exp[:min(len(exp), m-i)]
		if !bytes.Equal(b[i:i+len(exp)], exp) {
			return fmt.Errorf("wrong bytes at %d", off)
		}
		i += len(exp)
	}
	if err == nil && int64(m) != n {
		err = fmt.Errorf("%d bytes at %d without an error, want %d", m, off, n)
	}
	return err
}
