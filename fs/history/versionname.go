package history

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/latchfs/latchfs/internal/when"
)

// What stands before the suffix of a version's name.
const (
	metaMark    = "~meta"
	deletedMark = "~deleted"
)

// setNames names versions of one key that are in order and have their times.
func setNames(versions []Version) {
	if len(versions) == 0 {
		return
	}
	ids, suffix := shortIDs(versions), suffixOf(versions[0].Info.Key)
	for second := range seconds(versions) {
		// Three digits, unless there are more than a thousand: then as many as keep the
		// order of text.
		width := max(3, len(fmt.Sprint(second.end-second.begin-1)))
		for i := second.begin; i < second.end; i++ {
			v := &versions[i]
			mark := ""
			switch {
			case v.Deleted:
				mark = deletedMark
			case v.Meta:
				mark = metaMark
			}
			v.Name = fmt.Sprintf("%s.%0*d~%s%s%s", when.Path(v.Time), width, i-second.begin, ids[i], mark, suffix)
		}
	}
}

// A span is the versions [begin, end).
type span struct{ begin, end int }

// seconds gives the versions of each second.
func seconds(versions []Version) func(yield func(span) bool) {
	return func(yield func(span) bool) {
		for i := 0; i < len(versions); {
			s := span{i, i + 1}
			for s.end < len(versions) && versions[s.end].Time.Unix() == versions[i].Time.Unix() {
				s.end++
			}
			if !yield(s) {
				return
			}
			i = s.end
		}
	}
}

// Named finds the version of that name among all versions of a key, oldest first. It may have another
// name by now, see the package's documentation.
func Named(versions []Version, name string) (v Version, ok bool) {
	if i, ok := slices.BinarySearchFunc(versions, name, func(v Version, name string) int { return strings.Compare(v.Name, name) }); ok {
		return versions[i], true
	}
	if len(versions) == 0 {
		return v, false
	}
	second, id, ok := parseName(name, suffixOf(versions[0].Info.Key))
	if !ok {
		return v, false
	}
	// Of several ids that begin so the name is that of the oldest. If it has been removed for good,
	// another one is left that begins so, and is not what the name was read of. The time tells: that of
	// a version becomes an earlier one if what it was raised to is removed, and never a later one. So
	// it tells, too, that the id "null" was used again for what was written later.
	best := 0
	for _, candidate := range versions {
		full, rank := safe(candidate.Info.VersionID), 1
		switch {
		case !strings.HasPrefix(full, id), len(id) < min(shortID, len(full)), candidate.Time.Unix() > second:
			continue
		case full == id:
			rank = 3
		case candidate.Time.Unix() == second:
			rank = 2
		}
		if rank > best {
			v, best = candidate, rank
		}
	}
	return v, best > 0
}

// parseName takes a name apart: its second, and what it shows of the id.
func parseName(name, suffix string) (second int64, id string, ok bool) {
	name, ok = strings.CutSuffix(name, suffix)
	if !ok {
		return 0, "", false
	}
	at, id, ok := strings.Cut(name, "~")
	if !ok {
		return 0, "", false
	}
	id, mark, marked := strings.Cut(id, "~")
	if mark = "~" + mark; marked && mark != metaMark && mark != deletedMark {
		return 0, "", false
	}
	dot := strings.LastIndexByte(at, '.')
	if dot < 0 {
		return 0, "", false
	}
	place := at[dot+1:]
	t, err := time.Parse(when.PathForm, at[:dot])
	if err != nil || len(place) < 3 || strings.Trim(place, "0123456789") != "" {
		return 0, "", false
	}
	return t.Unix(), id, id != ""
}

// maxSuffix bounds the suffix of a name in bytes, with its dot.
const maxSuffix = 32

// suffixOf is the suffix of the last name in a key, with its dot. What looks like none, or would be
// in the way of a mark or of a program that reads names, is left out: a name that only begins with
// a dot, long ones, and other characters than letters, digits and "-_+".
func suffixOf(key string) string {
	name := key[strings.LastIndexByte(key, '/')+1:]
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 || dot == len(name)-1 || len(name)-dot > maxSuffix {
		return ""
	}
	for _, r := range name[dot+1:] {
		if r == unicode.ReplacementChar || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_+", r) {
			return ""
		}
	}
	return name[dot:]
}

// shortID is how much of a version id a name shows, if that is enough.
const shortID = 8

// shortIDs returns the beginnings of the versions' ids, of eight characters or as many as it
// takes for no older id to begin so, and no other one of the same second: ids of some servers begin
// with the time. So the name of an older version stays when there is a newer one, and those of one
// second, which nothing else may tell apart later, share no id.
func shortIDs(versions []Version) []string {
	full, ids := make([]string, len(versions)), make([]string, len(versions))
	// The oldest id with this beginning; of the beginnings that only one has, the shortest alone
	// is there.
	older := make(map[string]string)
	for i, v := range versions {
		id := safe(v.Info.VersionID)
		n := min(shortID, len(id))
		for n < len(id) {
			other, ok := older[id[:n]]
			if !ok {
				break
			}
			if n++; len(other) >= n {
				older[other[:n]] = other
			}
		}
		full[i], ids[i] = id, id[:n]
		older[id[:n]] = id
	}
	for second := range seconds(versions) {
		order := make([]int, 0, second.end-second.begin)
		for i := second.begin; i < second.end; i++ {
			order = append(order, i)
		}
		slices.SortFunc(order, func(a, b int) int { return strings.Compare(full[a], full[b]) })
		for i := range len(order) - 1 {
			a, b := order[i], order[i+1]
			n := common(full[a], full[b]) + 1
			for _, x := range []int{a, b} {
				ids[x] = full[x][:max(len(ids[x]), min(n, len(full[x])))]
			}
		}
	}
	return ids
}

// common is how long two texts are the same from their beginning.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
