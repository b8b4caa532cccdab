package store

import (
	"fmt"
	"slices"
	"strings"
)

// Flaws are what a server was seen to do otherwise than S3, of all that a mount relies on
// (SEMANTICS "Servers"). The zero value is a server that does everything right.
type Flaws uint16

const (
	// PutConditions: PutObject ignores a condition, or several racers win.
	PutConditions Flaws = 1 << iota
	// CopyConditions: CopyObject ignores a condition on its target or its source.
	CopyConditions
	// PartSource: UploadPartCopy ignores a condition on its source.
	PartSource
	// CompleteConditions: CompleteMultipartUpload ignores a condition, or several racers win.
	CompleteConditions
	// DeleteConditions: DeleteObject ignores its condition, or a DELETE and a PUT that race win both.
	DeleteConditions
	// AbortHarms: AbortMultipartUpload changes the object.
	AbortHarms
	// WrongReads: a read of a version, of a range, or of both gives other bytes than it names.
	WrongReads
	// WrongHistory: a listing of versions is incomplete or in another order than newest first.
	WrongHistory
)

// flawNames are the names of the flaws in bucket.json and in messages, in order of their bits.
var flawNames = []string{
	"put-conditions", "copy-conditions", "part-source", "complete-conditions", "delete-conditions",
	"abort", "reads", "history",
}

// Has tells whether one of these flaws was seen.
func (f Flaws) Has(any Flaws) bool { return f&any != 0 }

// Names gives the name of each flaw, in a fixed order.
func (f Flaws) Names() []string {
	var names []string
	for i, name := range flawNames {
		if f.Has(1 << i) {
			names = append(names, name)
		}
	}
	return names
}

// String gives the names, or "none".
func (f Flaws) String() string {
	if f == 0 {
		return "none"
	}
	return strings.Join(f.Names(), ", ")
}

// ParseFlaws is the reverse of Names. It fails for a name that this version does not know.
func ParseFlaws(names []string) (f Flaws, err error) {
	for _, name := range names {
		i := slices.Index(flawNames, name)
		if i < 0 {
			return f, fmt.Errorf("%q is no flaw of a server that this version of latchfs knows", name)
		}
		f |= 1 << i
	}
	return f, nil
}
