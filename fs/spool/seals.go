package spool

import (
	"slices"

	"github.com/latchfs/latchfs/store"
)

// A FoundSeal is a seal that is not known to be in the bucket.
type FoundSeal struct {
	Seal
	Snapshot
	// Attempted: a request may have been sent and may still land.
	Attempted bool
	// Unleased: such a request was sent without a lease.
	Unleased bool

	sentTo string // key of the last attempt
}

// Last is the newest content that was found, nil if only attributes were changed.
func (f *Found) Last() *Snapshot {
	if f.Tail == nil && len(f.Seals) > 0 {
		return &f.Seals[len(f.Seals)-1].Snapshot
	}
	return f.Tail
}

// Landed takes what was found as if the journal said that the seal id is in the bucket as
// base: neither it nor a seal before it is to be saved any more, the seal that follows it
// has base as its base, and the file shows base where nothing was written.
func (f *Found) Landed(id store.WriteID, base store.Base) {
	i := f.index(id)
	if i < 0 {
		return
	}
	f.Base, f.BaseSize, f.landed = base, f.Seals[i].Size(), id
	f.Seals = f.Seals[i+1:]
	if len(f.Seals) > 0 && f.Seals[0].After == id {
		f.Seals[0].Base = base
	}
}

func (f *Found) index(id store.WriteID) int {
	return slices.IndexFunc(f.Seals, func(s *FoundSeal) bool { return s.ID == id })
}

// seal puts s after the seal that it follows, in place of those that had been given up.
func (f *Found) seal(s *FoundSeal) {
	switch i := f.index(s.After); {
	case i >= 0:
		f.Seals = f.Seals[:i+1]
	case s.After == "":
		f.Seals = nil
	case s.After == f.landed:
		// The answer came while this seal was made.
		f.Seals, s.Base = nil, f.Base
	}
	// Where nobody knows what it follows, the others stay: at worst it becomes a conflict.
	f.Seals = append(f.Seals, s)
}

func (f *Found) attempt(a attempt) {
	if i := f.index(a.ID); i >= 0 {
		s := f.Seals[i]
		s.Attempted, s.sentTo = true, f.Key
		s.Unleased = s.Unleased || a.Unleased
	}
}

func (f *Found) failed(id store.WriteID) {
	if i := f.index(id); i >= 0 {
		f.Seals[i].Attempted, f.Seals[i].Unleased = false, false
	}
}

// moved gives the file another key and base. The oldest seal was to replace the base; each
// other replaces the one before it.
func (f *Found) moved(key string, base store.Base) {
	f.Key, f.Base = key, base
	if len(f.Seals) > 0 {
		f.Seals[0].Base = base
	}
}
