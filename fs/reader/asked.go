package reader

import "slices"

// A span is the bytes [off, end).
type span struct{ off, end int64 }

// maxSpans bounds what is remembered of reads that joined nothing. The kernel has up to 64
// reads of a mount under way (MaxBackground), which may come in any order.
const maxSpans = 64

// asked is what a program asked for: spans in order, none touching another.
type asked []span

// add adds a read and returns the span that it is part of now. joined: it touches an earlier
// read; fresh: it has bytes that no earlier one had.
func (a *asked) add(off, end int64) (in span, joined, fresh bool) {
	s := *a
	i := 0
	for i < len(s) && s[i].end < off {
		i++
	}
	j := i
	for j < len(s) && s[j].off <= end {
		j++
	}
	in = span{off, end}
	joined, fresh = j > i, true
	if joined {
		fresh = off < s[i].off || end > s[i].end
		in = span{min(off, s[i].off), max(end, s[j-1].end)}
	}
	s = slices.Replace(s, i, j, in)
	if len(s) > maxSpans { // the farther end goes
		if off-s[0].off > s[len(s)-1].end-end {
			s = slices.Delete(s, 0, 1)
		} else {
			s = s[:len(s)-1]
		}
	}
	*a = s
	return in, joined, fresh
}

// gap returns where, from off on, the first n bytes in a row are that were not asked for.
func (a asked) gap(off, n int64) int64 {
	for _, s := range a {
		if off+n <= s.off {
			break
		}
		off = max(off, s.end)
	}
	return off
}
