package prune

import (
	"slices"
	"time"

	"github.com/latchfs/latchfs/fs/history"
)

// A Policy says which versions of a file may go. The keep flags mean what restic means by them: a
// version stays if any of them keeps it. The zero Policy lets everything go that may.
type Policy struct {
	KeepLast  int // the newest so many, the current one among them
	KeepDaily int // the newest of each of the last so many days, in UTC, on which there is one
	// KeepWithin keeps what became current so long before the newest version or later.
	KeepWithin time.Duration
	// OlderThan: only what was replaced or deleted so long ago.
	OlderThan time.Duration
}

// contents gives the versions with content that may go, oldest first. versions are all of one key,
// oldest first. The newest content always stays: it is the current one, or what a deletion can be
// undone to. So does what has no id of its own.
func (p Policy) contents(versions []history.Version, now time.Time) (gone []history.Version) {
	kept := p.keeps(versions)
	for i, v := range versions {
		if v.Deleted || kept[i] || !named(v) || i+1 == len(versions) {
			continue
		}
		if p.old(versions[i+1].Time, now) {
			gone = append(gone, v)
		}
	}
	return gone
}

// keeps tells which of the versions the flags keep.
func (p Policy) keeps(versions []history.Version) []bool {
	kept := make([]bool, len(versions))
	last, days := 0, 0
	var newest time.Time
	var day string
	for i, v := range slices.Backward(versions) {
		if v.Deleted {
			continue
		}
		if last++; last == 1 {
			newest = v.Time
		}
		if d := v.Time.UTC().Format(time.DateOnly); d != day {
			day = d
			days++
			kept[i] = days <= p.KeepDaily
		}
		kept[i] = kept[i] || last == 1 || last <= p.KeepLast || p.KeepWithin > 0 && newest.Sub(v.Time) <= p.KeepWithin
	}
	return kept
}

// markers gives the deletions that may go: those below which no content is left, since nothing can be
// undone by them. One on top counts from its own time.
func (p Policy) markers(left []history.Version, now time.Time) (gone []history.Version) {
	for i, v := range left {
		if !v.Deleted {
			break
		}
		since := v.Time
		if i+1 < len(left) {
			since = left[i+1].Time
		}
		if named(v) && p.old(since, now) {
			gone = append(gone, v)
		}
	}
	return gone
}

// old tells whether what was replaced then may go by its age. The server's clock, as its answers tell it, has seconds and may
// be behind a version of this moment.
func (p Policy) old(replaced, now time.Time) bool {
	return p.OlderThan <= 0 || now.Sub(replaced) >= p.OlderThan
}

// named tells whether a version has an id that never names another one.
func named(v history.Version) bool { return v.Info.VersionID != "" && v.Info.VersionID != "null" }
