package spool

import (
	"context"
	"io"
)

// A Snapshot is what a file held at one moment. It can be read until its File is dropped
// or closed.
type Snapshot struct {
	content content
	data    io.ReaderAt
}

// Size is the number of bytes of the snapshot.
func (s Snapshot) Size() int64 { return s.content.size }

// Local is the number of its bytes that stand in the spool; the others are the base's or
// zero.
func (s Snapshot) Local() int64 { return s.content.local() }

// UsesBase tells whether any of its bytes are the base's.
func (s Snapshot) UsesBase() bool { return s.content.usesBase() }

// A Span is a run of bytes of a file.
type Span struct{ Off, Len int64 }

// Spans returns the bytes that stand in the spool, in order; neighbours are joined.
func (s Snapshot) Spans() []Span {
	var out []Span
	for _, e := range s.content.ext {
		if n := len(out); n > 0 && out[n-1].Off+out[n-1].Len == e.off {
			out[n-1].Len += e.len
			continue
		}
		out = append(out, Span{e.off, e.len})
	}
	return out
}

// Reader reads the snapshot, and where nothing was written base, which may be nil if it
// is not needed. The reader is used while ctx lives.
func (s Snapshot) Reader(ctx context.Context, base Base) io.ReaderAt {
	return &snapshotReader{ctx: ctx, s: s, base: base}
}

// snapshotReader carries the context of one upload through io.ReaderAt, which has no
// parameter for it.
type snapshotReader struct {
	ctx  context.Context
	s    Snapshot
	base Base
}

func (r *snapshotReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := fill(r.ctx, p, off, r.s.content.segments(off, int64(len(p))), r.s.data, r.base)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}
