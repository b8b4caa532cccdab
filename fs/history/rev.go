package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/latchfs/latchfs/internal/when"
	"github.com/latchfs/latchfs/store"
)

// ErrNoVersion: what was asked for names no version.
var ErrNoVersion = errors.New("no such version")

// Labels finds versions by the labels that people gave them.
type Labels interface {
	// Labeled gives the id of that one of the versions of a key which has the label; ok is false if
	// none has it.
	Labeled(ctx context.Context, versions []Version, label string) (id string, ok bool, err error)
}

// A Revs says how the name of a version is read.
type Revs struct {
	Now    time.Time      // what an age counts from
	Zone   *time.Location // of a time that says none
	Labels Labels         // nil: there are none
}

// leastID is how many characters of an id name it.
const leastID = 8

// Resolve finds the version of a key that rev names:
//
//	3sL4kqtJrlcpXroDTDmJ+rmSpXd3dIbrHY   its id, or a beginning of it, of eight characters or more,
//	                                     that no other version's id has
//	2026-11-22T18.29.05Z.000~3sL4kqtJ    its name in .versions
//	release                              a label (IsLabel)
//	2026-11-22, 2h, yesterday            the version that was current then (internal/when)
//	~1                                   so many changes before the current one; a deletion counts
//	prev, first                          ~1, and the oldest
//
// What can be several of these is the one that comes first among: a whole id, a name, a label, a time,
// the beginning of an id. A deletion is a version, too. It fails with ErrNoVersion, and says what it
// looked for and what there is, and with the errors of the store.
func (h *History) Resolve(ctx context.Context, key, rev string, r Revs) (Version, error) {
	versions, err := h.Versions(ctx, key)
	if err != nil {
		return Version{}, err
	}
	return r.Find(ctx, key, versions, rev)
}

// Find is Resolve for one who has the versions of the key, oldest first.
func (r Revs) Find(ctx context.Context, key string, versions []Version, rev string) (Version, error) {
	if len(versions) == 0 {
		return Version{}, fmt.Errorf("%w: nothing is, or was, at %q", ErrNoVersion, key)
	}
	v, err := r.find(ctx, versions, rev)
	if err != nil {
		if errors.Is(err, ErrNoVersion) {
			err = fmt.Errorf("%w; %s", err, newest(versions))
		}
		return Version{}, fmt.Errorf("%q@%.100s: %w", key, rev, err)
	}
	return v, nil
}

func (r Revs) find(ctx context.Context, versions []Version, rev string) (v Version, err error) {
	switch rev {
	case "":
		return v, fmt.Errorf("%w: after @ there is no id or name of one", ErrNoVersion)
	case "prev":
		rev = "~1"
	}
	if v, ok := withID(versions, rev); ok {
		return v, nil
	}
	if v, ok := Named(versions, rev); ok {
		return v, nil
	}
	switch {
	case rev == "first":
		return versions[0], nil
	case strings.HasPrefix(rev, "~"):
		return back(versions, rev[1:])
	}
	tried, none := "no id or name of a version", ErrNoVersion
	if r.Labels != nil && IsLabel(rev) {
		id, ok, err := r.Labels.Labeled(ctx, versions, rev)
		switch v, is := withID(versions, id); {
		case errors.Is(err, store.ErrAccessDenied), errors.Is(err, store.ErrNotImplemented):
			// The beginning of an id needs no labels. What is none may be a label that nobody tells us of.
			tried, none = tried+" (the bucket does not tell the labels)", err
		case err != nil:
			return v, err
		case ok && is:
			return v, nil
		default:
			tried = "no label, id or name of a version"
		}
	}
	t, noTime := when.Parse(rev, r.Now, r.Zone)
	if noTime == nil {
		return at(versions, t)
	}
	v, ok, err := beginning(versions, rev)
	if err == nil && !ok {
		err = fmt.Errorf("%w: it is %s, and %w", none, tried, noTime)
	}
	return v, err
}

// IsLabel tells whether a version can have that label: it begins with a letter, as nothing else does
// that names a version except for some ids and the words that are none, and has no "@", slash or
// control character in it.
func IsLabel(s string) bool {
	switch s {
	case "yesterday", "prev", "first":
		return false
	}
	for i, r := range s {
		switch {
		case i == 0 && !unicode.IsLetter(r), r == '@', r == '/', r == unicode.ReplacementChar, !unicode.IsPrint(r):
			return false
		}
	}
	return s != ""
}

// withID finds the version of that id.
func withID(versions []Version, id string) (v Version, ok bool) {
	i := slices.IndexFunc(versions, func(v Version) bool { return idOf(v) == id })
	if i < 0 {
		return v, false
	}
	return versions[i], true
}

// idOf is the id of a version; one of a bucket that never was versioned has that which S3 would give.
func idOf(v Version) string {
	if v.Info.VersionID == "" {
		return "null"
	}
	return v.Info.VersionID
}

// back is the version so many changes before the current one.
func back(versions []Version, digits string) (v Version, err error) {
	n, err := strconv.ParseUint(digits, 10, 31)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return v, fmt.Errorf("%w: after ~ a number is missing: write ~1 for the version before the current one", ErrNoVersion)
	case err != nil || int(n) >= len(versions):
		return v, fmt.Errorf("%w: there are %d versions and deletions, and ~%d is the oldest", ErrNoVersion, len(versions), len(versions)-1)
	}
	return versions[len(versions)-1-int(n)], nil
}

// at is the version that was current at a time.
func at(versions []Version, t time.Time) (v Version, err error) {
	i := Current(versions, t)
	if i < 0 {
		return v, fmt.Errorf("%w: the oldest one that is left is of %s", ErrNoVersion, versions[0].Time.Format(time.RFC3339))
	}
	return versions[i], nil
}

// Current is the index of the version or deletion that was current at a time, of versions that are in
// their order; -1 if there was none.
func Current(versions []Version, t time.Time) int {
	for i, v := range slices.Backward(versions) {
		if !v.Time.After(t) {
			return i
		}
	}
	return -1
}

// beginning finds the version whose id begins so.
func beginning(versions []Version, id string) (found Version, ok bool, err error) {
	for _, v := range versions {
		if !strings.HasPrefix(idOf(v), id) {
			continue
		}
		if ok {
			return v, false, fmt.Errorf("%w: several ids begin so: write more of the one that is meant", ErrNoVersion)
		}
		found, ok = v, true
	}
	if ok && len(id) < leastID {
		return found, false, fmt.Errorf("%w: an id begins so, but %d characters or more of it are needed", ErrNoVersion, leastID)
	}
	return found, ok, nil
}

// newest names the newest three versions.
func newest(versions []Version) string {
	var names []string
	for _, v := range slices.Backward(versions[max(0, len(versions)-3):]) {
		names = append(names, v.Name)
	}
	if len(names) == 1 {
		return "there is only " + names[0]
	}
	return "the newest are " + strings.Join(names, ", ")
}
