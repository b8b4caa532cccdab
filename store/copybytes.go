package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// copyBytes is a copy on a server that cannot be trusted with one: the source is read, under
// conditions that make sure that it is the version that was seen, and sent as a body is.
func (r *rewrite) copyBytes(ctx context.Context, src Source) (Info, error) {
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &sourceBytes{ctx: own, c: r.c, src: src}
	defer s.close()
	err := r.checkEmpty(ctx, src)
	var info Info
	if err == nil {
		info, err = r.write(ctx, Body{ReaderAt: s, Size: src.Size})
	}
	if _, ok := errors.AsType[*bodyError](err); !ok {
		return info, err
	}
	switch { // nothing has landed: no request was whole, or those before it were looked for
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrPrecondition):
		return Info{}, r.conflict(ErrConflict, err)
	case ctx.Err() != nil:
		return Info{}, unavailable(ctx, err)
	}
	return Info{}, err
}

// checkEmpty looks whether a source without bytes, of which none is read, is still what was seen.
// The condition of a copy onto itself says that.
func (r *rewrite) checkEmpty(ctx context.Context, src Source) error {
	if src.Size > 0 || src.Key == r.key && src.Base.Same(r.w.Base) {
		return nil
	}
	version := ""
	if src.Base.Pinned() {
		version = src.Base.VersionID
	}
	seen, err := r.c.head(ctx, src.Key, version, 0)
	switch {
	case err != nil && ctx.Err() != nil:
		return unavailable(ctx, err)
	case err == nil && (seen.ETag != src.Base.ETag || seen.Size > 0):
		err = ErrPrecondition
	}
	if err != nil {
		return &bodyError{err}
	}
	return nil
}

// sourceBytes are those of the version that a copy reads. Whoever reads a small piece goes on after
// it, and gets it from one long answer; a large piece is a request of its own. Several may be read at the
// same time. Answers that break off are asked for again, for as long as other reads are.
type sourceBytes struct {
	ctx context.Context
	c   *Client
	src Source

	mu      sync.Mutex // guards what follows
	streams []*stream  // that nobody reads at the moment, those that were read last at the end
	closed  bool
}

// A stream is a long answer.
type stream struct {
	io.ReadCloser
	at int64 // where it goes on
}

// errOtherVersion: the server answered with another version than the one that was asked for.
var errOtherVersion = fmt.Errorf("the server reads another version than the source: %w", ErrPrecondition)

// ReadAt implements io.ReaderAt. It fails with ErrNotFound or ErrPrecondition if the version is gone.
func (s *sourceBytes) ReadAt(p []byte, off int64) (n int, err error) {
	long := s.take(off)
	if long == nil && (len(p) >= PartSize || off+int64(len(p)) == s.src.Size) {
		return s.piece(p, off)
	}
	err = s.patiently(func() (int, error) {
		if long == nil {
			if long, err = s.open(off+int64(n), s.src.Size-off-int64(n)); err != nil {
				return 0, err
			}
		}
		m, err := io.ReadFull(long, p[n:])
		n, long.at = n+m, long.at+int64(m)
		if err != nil {
			long.Close()
			long = nil
		}
		return m, err
	})
	if long != nil {
		s.keep(long)
	}
	return n, err
}

// piece reads by a request for just these bytes.
func (s *sourceBytes) piece(p []byte, off int64) (n int, err error) {
	err = s.patiently(func() (int, error) {
		body, err := s.open(off+int64(n), int64(len(p)-n))
		if err != nil {
			return 0, err
		}
		defer body.Close()
		m, err := io.ReadFull(body, p[n:])
		n += m
		return m, err
	})
	return n, err
}

// patiently calls read, which tells how much it got, until it gets all. It gives up when an answer
// was refused, or when nothing came for as long as other reads are tried.
func (s *sourceBytes) patiently(read func() (int, error)) error {
	pause, last := pauses(), time.Now()
	for {
		n, err := read()
		if n > 0 {
			last = time.Now()
		}
		switch {
		case err == nil:
			return nil
		case fateOf(err) == Refused, errors.Is(err, ErrUnavailable), errors.Is(err, errOtherVersion):
			return err
		case time.Since(last) >= readPatience, !pause.Wait(s.ctx, nil):
			return unavailable(s.ctx, err)
		}
	}
}

// open begins to read n bytes of the version from off.
func (s *sourceBytes) open(off, n int64) (*stream, error) {
	o, err := s.c.Get(s.ctx, s.src.Key, GetOptions{
		VersionID: s.src.Base.VersionID, IfMatch: s.src.Base.ETag, Range: &Range{Offset: off, Length: n},
	})
	if err != nil {
		return nil, err
	}
	is, want := o.Info, s.src.Base
	if is.ETag != want.ETag || want.Pinned() && is.VersionID != want.VersionID || is.Size != s.src.Size {
		o.Body.Close()
		return nil, errOtherVersion
	}
	return &stream{o.Body, off}, nil
}

// take gives the stream that goes on at off, nil if there is none.
func (s *sourceBytes) take(off int64) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.streams, func(l *stream) bool { return l.at == off })
	if i < 0 {
		return nil
	}
	l := s.streams[i]
	s.streams = slices.Delete(s.streams, i, i+1)
	return l
}

// keep puts a stream back. Of those that nobody goes on with the oldest is ended.
func (s *sourceBytes) keep(l *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || l.at == s.src.Size {
		l.Close()
		return
	}
	if s.streams = append(s.streams, l); len(s.streams) > partsParallel {
		s.streams[0].Close()
		s.streams = slices.Delete(s.streams, 0, 1)
	}
}

func (s *sourceBytes) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, l := range s.streams {
		l.Close()
	}
}
