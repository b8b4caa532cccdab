package flatstore

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// pieces reads a stretch of content. It must be closed, to let go of its files.
type pieces struct {
	files  *files
	pinned []segmentID
	left   []piece
	open   *os.File // of left[0], if that is a file
}

type piece struct {
	extent
	inline []byte // nil: in a file
}

// open finds where the extents lie. What is inline is copied now; files are pinned, and
// opened when the reader gets there.
func (s *Store) open(t *tx, extents []extent) (*pieces, error) {
	p := &pieces{files: s.files}
	for _, e := range extents {
		row, err := decodeSegment(t.Bucket(rootSegments).Get(e.ID[:]))
		if err != nil {
			return nil, err
		}
		one := piece{extent: e}
		if row.Inline {
			data := t.Bucket(rootInline).Get(e.ID[:])
			if int64(len(data)) < e.Off+e.Len {
				return nil, errors.New("an inline body of the index is cut off")
			}
			one.inline = append([]byte{}, data[e.Off:e.Off+e.Len]...)
		} else {
			p.pinned = append(p.pinned, e.ID)
		}
		p.left = append(p.left, one)
	}
	s.files.pin(p.pinned)
	return p, nil
}

func (p *pieces) Read(b []byte) (int, error) {
	for {
		if len(p.left) == 0 {
			return 0, io.EOF
		}
		one := &p.left[0]
		if one.Len == 0 {
			p.left = p.left[1:]
			if p.open != nil {
				p.open.Close()
				p.open = nil
			}
			continue
		}
		if len(b) == 0 {
			return 0, nil
		}
		n := int(min(int64(len(b)), one.Len))
		if one.inline != nil {
			n = copy(b[:n], one.inline)
			one.inline = one.inline[n:]
		} else {
			if p.open == nil {
				f, err := os.Open(p.files.path(one.ID))
				if err != nil {
					return 0, fmt.Errorf("reading content: %w", err)
				}
				p.open = f
			}
			k, err := p.open.ReadAt(b[:n], one.Off)
			if k < n {
				return 0, fmt.Errorf("reading content: %w", err)
			}
		}
		one.Off, one.Len = one.Off+int64(n), one.Len-int64(n)
		return n, nil
	}
}

func (p *pieces) Close() error {
	if p.open != nil {
		p.open.Close()
		p.open = nil
	}
	p.files.unpin(p.pinned)
	p.pinned, p.left = nil, nil
	return nil
}
