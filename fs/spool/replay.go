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
// bytes are not there. It returns whether anything is left to save. An error means that
// the journal cannot be trusted.
func (f *Found) replay(journal []byte, dataSize int64) (keep bool, err error) {
	var (
		c       content
		changed bool // since the last seal
	)
	if wasDropped(journal) {
		return false, nil // its data may be gone already
	}
	k, p, n := decode(journal)
	if n == 0 || k != kindOpen {
		return false, fmt.Errorf("%w: it does not begin with an open record", errDamaged)
	}
	// A machine that went down leaves any part of what was not synced; one that runs on leaves
	// nothing after a record that is torn.
	lost := func(bad int) bool { return promised(journal, bad) }
	var h Header
	if err := unmarshal(p, &h); err != nil {
		return false, err
	}
	if h.Format < oldestFormat || h.Format > Format {
		return false, fmt.Errorf("%w: %d, this program reads %d to %d", ErrFormat, h.Format, oldestFormat, Format)
	}
	if h.Boot != "" && h.Boot == f.scan.fs.Boot() {
		lost = func(bad int) bool { return followed(journal, bad) }
	}
	f.Key, f.Base, f.BaseSize, f.Props, f.Created = h.Key, h.Base, h.BaseSize, h.Props, h.Created
	c = content{size: h.Size, base: min(h.BaseSize, h.Size)}
	rest := journal[n:]
	f.end = int64(n)
	for len(rest) > 0 {
		k, p, n := decode(rest)
		if n == 0 {
			if lost(len(journal) - len(rest)) {
				return false, fmt.Errorf("%w at offset %d", errDamaged, len(journal)-len(rest))
			}
			break
		}
		switch k {
		case kindWrite:
			w, err := decodeWrite(p)
			if err != nil {
				return false, err
			}
			if ok, err := f.present(w, dataSize); err != nil {
				return false, err
			} else if !ok {
				if lost(len(journal) - len(rest)) {
					return false, fmt.Errorf("%w: bytes at %d of the data file are not what was written", errDamaged, w.data)
				}
				rest = nil
				continue
			}
			c.write(w.extent)
			changed = true
		case kindTruncate:
			var t truncation
			if err := unmarshal(p, &t); err != nil {
				return false, err
			}
			c.truncate(t.Size)
			changed = true
		default:
			if err := f.replayNote(k, p, &c, &changed); err != nil {
				return false, err
			}
		}
		rest = rest[n:]
		f.end = int64(len(journal) - len(rest))
	}
	if changed {
		f.Tail = &Snapshot{content: c, data: f.data}
	}
	return len(f.Seals) > 0 || f.Tail != nil || f.Attrs, nil
}

// wasDropped tells whether the journal says that nothing of the file is needed any more.
func wasDropped(journal []byte) bool {
	for {
		k, _, n := decode(journal)
		if n == 0 || k == kindDropped {
			return n > 0
		}
		journal = journal[n:]
	}
}

// replayNote applies the records that change no bytes.
func (f *Found) replayNote(k kind, p []byte, c *content, changed *bool) error {
	switch k {
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

// promised tells whether any sound record after bad says that the journal had been synced
// beyond bad.
func promised(journal []byte, bad int) bool {
	for i := bad; i+recordHead <= len(journal); i++ {
		if kind(journal[i+8]) != kindSynced {
			continue
		}
		k, p, n := decode(journal[i:])
		var s synced
		if n > 0 && k == kindSynced && unmarshal(p, &s) == nil && s.Upto > int64(bad) {
			return true
		}
	}
	return false
}

// followed tells whether any sound record stands after the one at bad.
func followed(journal []byte, bad int) bool {
	for i := bad + 1; i+recordHead <= len(journal); i++ {
		if k := kind(journal[i+8]); k < kindOpen || k > lastKind {
			continue
		}
		if _, _, n := decode(journal[i:]); n > 0 {
			return true
		}
	}
	return false
}
