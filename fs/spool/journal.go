package spool

import (
	"fmt"
	"slices"

	"github.com/latchfs/latchfs/store"
)

// noteRoom is the room in the journal for the attempts and the answer of one seal, and for
// what else is noted between accepting bytes and dropping them.
const noteRoom = 2 << 10

// reserveStep is by how much the reserved room grows.
const reserveStep = 16 << 10

// reserve sees to it that neither a full disk nor the limit keeps what is accepted now, by a record of n
// bytes, from being sealed, and the commits of all seals from being noted. f.mu is held, or
// f is not shared yet.
func (f *File) reserve(n int64) error {
	need := f.mu.journal + n + 2*f.mu.longest + int64(1+len(f.mu.pending))*noteRoom
	if need <= f.mu.reserved {
		return nil
	}
	end := (need + reserveStep - 1) / reserveStep * reserveStep
	more := max(0, end-f.mu.counted)
	if err := f.s.reserve(more); err != nil {
		return err
	}
	if err := f.journal.Reserve(end); err != nil {
		f.s.unreserve(more)
		return err
	}
	f.mu.reserved, f.mu.counted = end, f.mu.counted+more
	return nil
}

// append puts one record at the end of the journal. f.mu is held, or f is not shared yet.
func (f *File) append(rec []byte) error {
	if f.mu.dropped {
		return fmt.Errorf("spool file %s was dropped", f.dir)
	}
	if _, err := f.journal.WriteAt(rec, f.mu.journal); err != nil {
		// Part of the record may stand there. The next one overwrites it, and if none
		// comes it is a torn tail.
		_ = f.journal.Truncate(f.mu.journal)
		f.mu.reserved = 0
		return diskError(err)
	}
	f.mu.journal += int64(len(rec))
	if more := f.mu.journal - f.mu.counted; more > 0 {
		f.s.count(more)
		f.mu.counted += more
	}
	f.mu.unsynced = true
	return nil
}

func (f *File) record(k kind, v any) error {
	rec, err := encode(k, v)
	if err != nil {
		return err
	}
	return f.append(rec)
}

// note appends a record under the lock.
func (f *File) note(k kind, v any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.record(k, v); err != nil {
		return fmt.Errorf("spool journal of %q: %w", f.header.Key, err)
	}
	return nil
}

// Attempt records that a request of the seal id is about to be sent, unleased: without a
// lease.
func (f *File) Attempt(id store.WriteID, unleased bool) error {
	return f.note(kindAttempt, attempt{id, unleased})
}

// Landed records that the seal id is in the bucket as base: where nothing was written the
// file shows base from now on, at the same offsets. Seals before it need no answer any
// more, and the seal that follows it has base as its base.
func (f *File) Landed(id store.WriteID, base store.Base) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.record(kindAnswered, answer{ID: id, Landed: true, Base: base}); err != nil {
		return fmt.Errorf("spool journal of %q: %w", f.header.Key, err)
	}
	f.mu.pending = f.mu.pending[slices.Index(f.mu.pending, id)+1:]
	return nil
}

// Failed records that nothing that was sent of the seal id is or will be in the bucket. The
// seal is still to be saved, unless a later one replaces it.
func (f *File) Failed(id store.WriteID) error { return f.note(kindAnswered, answer{ID: id}) }

// Unlinking records that the name is about to be deleted: recovery drops the bytes if the
// object is gone then.
func (f *File) Unlinking() error { return f.note(kindUnlink, nil) }

// Linked takes Unlinking back.
func (f *File) Linked() error { return f.note(kindLinked, nil) }

// Moved records that the file has another key and grew from another version, every byte of
// which is the same. A seal that is to be saved means the new key and base, too.
func (f *File) Moved(key string, base store.Base) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.header
	h.Key, h.Base = key, base
	if err := f.record(kindMoved, h); err != nil {
		return fmt.Errorf("spool journal of %q: %w", f.header.Key, err)
	}
	f.header = h
	return nil
}
