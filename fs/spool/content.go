package spool

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sort"
)

// An extent says that the bytes [off, off+len) of the file stand at data in the data file.
type extent struct {
	off, len, data int64
}

func (e extent) end() int64 { return e.off + e.len }

// content is what a file holds at one moment: local extents in order of offset, none
// overlapping; where there is none, the first base bytes show the base version's bytes at
// the same offset, and the rest is zero.
type content struct {
	size int64
	base int64
	ext  []extent
}

// write lays e over the content.
func (c *content) write(e extent) {
	if e.len == 0 {
		return
	}
	c.size = max(c.size, e.end())
	n := len(c.ext)
	if n > 0 { // the usual case: in order, and contiguous in the data file
		last := &c.ext[n-1]
		if last.end() == e.off && last.data+last.len == e.data {
			last.len += e.len
			return
		}
	}
	if n == 0 || c.ext[n-1].end() <= e.off {
		c.ext = append(c.ext, e)
		return
	}
	i, j := c.overlap(e.off, e.end())
	put := make([]extent, 0, 3)
	if i < j && c.ext[i].off < e.off {
		head := c.ext[i]
		head.len = e.off - head.off
		put = append(put, head)
	}
	put = append(put, e)
	if i < j && c.ext[j-1].end() > e.end() {
		tail := c.ext[j-1]
		cut := e.end() - tail.off
		put = append(put, extent{off: tail.off + cut, len: tail.len - cut, data: tail.data + cut})
	}
	c.ext = slices.Replace(c.ext, i, j, put...)
}

// truncate cuts the content or lets it grow by zeros.
func (c *content) truncate(size int64) {
	if size < c.size {
		c.base = min(c.base, size)
		i, j := c.overlap(size, c.size)
		if i < j && c.ext[i].off < size {
			c.ext[i].len = size - c.ext[i].off
			i++
		}
		c.ext = c.ext[:i]
	}
	c.size = size
}

// overlap returns the range of the extents that touch [from, to).
func (c *content) overlap(from, to int64) (int, int) {
	i := sort.Search(len(c.ext), func(k int) bool { return c.ext[k].end() > from })
	j := i + sort.Search(len(c.ext)-i, func(k int) bool { return c.ext[i+k].off >= to })
	return i, j
}

// clone returns a copy that later writes to c do not change.
func (c *content) clone() content {
	return content{size: c.size, base: c.base, ext: slices.Clone(c.ext)}
}

// local is the number of bytes that stand in the data file.
func (c *content) local() (n int64) {
	for _, e := range c.ext {
		n += e.len
	}
	return n
}

// usesBase tells whether any byte is the base version's.
func (c *content) usesBase() bool {
	gap := int64(0) // where the first one begins
	for _, e := range c.ext {
		if e.off > gap {
			break
		}
		gap = e.end()
	}
	return gap < min(c.base, c.size)
}

type source uint8

const (
	fromZero source = iota
	fromBase
	fromData
)

// A segment is a run of bytes of one source.
type segment struct {
	off, len int64
	src      source
	data     int64 // offset in the data file
}

// segments splits [off, off+n), cut at the end of the file, by source.
func (c *content) segments(off, n int64) []segment {
	end := min(off+n, c.size)
	var out []segment
	gap := func(to int64) {
		if b := min(to, c.base); off < b {
			out = append(out, segment{off: off, len: b - off, src: fromBase})
			off = b
		}
		if off < to {
			out = append(out, segment{off: off, len: to - off, src: fromZero})
			off = to
		}
	}
	if off >= end {
		return nil
	}
	i, j := c.overlap(off, end)
	for _, e := range c.ext[i:j] {
		if e.off > off {
			gap(e.off)
		}
		to := min(e.end(), end)
		out = append(out, segment{off: off, len: to - off, src: fromData, data: e.data + off - e.off})
		off = to
	}
	if off < end {
		gap(end)
	}
	return out
}

// Base reads the version that a file grew from. It is asked only for bytes that it has.
type Base interface {
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)
}

// fill reads the segments into p, whose first byte is at offset off of the file.
func fill(ctx context.Context, p []byte, off int64, segs []segment, data io.ReaderAt, base Base) (int, error) {
	n := 0
	for _, s := range segs {
		b := p[s.off-off : s.off-off+s.len]
		switch s.src {
		case fromZero:
			clear(b)
		case fromData:
			if _, err := data.ReadAt(b, s.data); err != nil {
				return n, fmt.Errorf("reading the spool: %w", err)
			}
		case fromBase:
			if base == nil {
				return n, fmt.Errorf("reading the spool: no base for offset %d", s.off)
			}
			m, err := base.ReadAt(ctx, b, s.off)
			if m < len(b) {
				if err == nil || err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return n + m, fmt.Errorf("reading the base version: %w", err)
			}
		}
		n += len(b)
	}
	return n, nil
}
