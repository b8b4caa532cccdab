package spool

import (
	"errors"
	"fmt"
	"io"

	"github.com/latchfs/latchfs/store"
)

// errDamaged: a record that had been synced cannot be read any more.
var errDamaged = errors.New("the journal is damaged")

// replay rebuilds the file from its journal, up to the first record that is torn or whose
// bytes are not there. It returns whether anything is left to save. An unreadError is one of the
// disk; any other means that the journal cannot be trusted.
func (f *Found) replay(journal *records, dataSize int64) (keep bool, err error) {
	var (
		c       content
		changed bool // since the last seal
	)
	if dropped, err := journal.dropped(); dropped || err != nil {
		return false, err // its data may be gone already
	}
	k, p, n, err := journal.decode(0)
	if err != nil {
		return false, err
	}
	if n == 0 || k != kindOpen {
		return false, fmt.Errorf("%w: it does not begin with an open record", errDamaged)
	}
	// A machine that went down leaves any part of what was not synced; one that runs on leaves
	// nothing after a record that is torn.
	lost := journal.promised
	var h Header
	if err := unmarshal(p, &h); err != nil {
		return false, err
	}
	if h.Format < oldestFormat || h.Format > Format {
		return false, fmt.Errorf("%w: %d, this program reads %d to %d", ErrFormat, h.Format, oldestFormat, Format)
	}
	if h.Size < 0 || h.BaseSize < 0 {
		return false, fmt.Errorf("%w: a file of %d bytes on %d", errDamaged, h.Size, h.BaseSize)
	}
	if h.Boot != "" && h.Boot == f.scan.fs.Boot() {
		lost = journal.followed
	}
	f.Key, f.Base, f.BaseSize, f.Props, f.Created = h.Key, h.Base, h.BaseSize, h.Props, h.Created
	c = content{size: h.Size, base: min(h.BaseSize, h.Size)}
	for f.end = n; f.end < journal.size; f.end += n {
		if k, p, n, err = journal.decode(f.end); err != nil {
			return false, err
		}
		there := n > 0
		if there && k == kindWrite {
			w, err := decodeWrite(p)
			if err != nil {
				return false, err
			}
			if there, err = f.present(w, dataSize); err != nil {
				return false, err
			}
			if there {
				c.write(w.extent)
				changed = true
			}
		}
		if !there {
			if damaged, err := lost(f.end); err != nil {
				return false, err
			} else if damaged {
				return false, fmt.Errorf("%w at offset %d: the record, or the bytes that it tells of", errDamaged, f.end)
			}
			break
		}
		if err := f.replayNote(k, p, &c, &changed); err != nil {
			return false, err
		}
	}
	if changed {
		f.Tail = &Snapshot{content: c, data: f.data}
	}
	return len(f.Seals) > 0 || f.Tail != nil || f.Attrs, nil
}

// replayNote applies the records that have no bytes in the data file.
func (f *Found) replayNote(k kind, p []byte, c *content, changed *bool) error {
	switch k {
	case kindTruncate:
		var t truncation
		if err := unmarshal(p, &t); err != nil {
			return err
		}
		if t.Size < 0 {
			return fmt.Errorf("%w: truncated to %d bytes", errDamaged, t.Size)
		}
		c.truncate(t.Size)
		*changed = true
	case kindSeal:
		var s Seal
		if err := unmarshal(p, &s); err != nil {
			return err
		}
		f.seal(&FoundSeal{Seal: s, Snapshot: Snapshot{content: c.clone(), data: f.data}})
		f.Props, f.Attrs = s.Props, false
		*changed = false
	case kindAttributes:
		var props store.Props
		if err := unmarshal(p, &props); err != nil {
			return err
		}
		f.Props, f.Attrs = props, true
	case kindAttempt:
		var a attempt
		if err := unmarshal(p, &a); err != nil {
			return err
		}
		f.attempt(a)
	case kindAnswered:
		var a answer
		if err := unmarshal(p, &a); err != nil {
			return err
		}
		if a.Landed {
			f.Landed(a.ID, a.Base)
		} else {
			f.failed(a.ID)
		}
	case kindUnlink:
		f.Unlinked = true
	case kindLinked:
		f.Unlinked = false
	case kindMoved:
		var h Header
		if err := unmarshal(p, &h); err != nil {
			return err
		}
		f.moved(h.Key, h.Base)
	}
	return nil
}

// present tells whether the bytes of a write are in the data file.
func (f *Found) present(w write, dataSize int64) (bool, error) {
	if f.data == nil || w.data+w.len > dataSize {
		return false, nil
	}
	sum, err := sumAt(f.data, w.data, w.len)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return false, nil
	case err != nil:
		return false, unreadError{err}
	}
	return sum == w.sum, nil
}
