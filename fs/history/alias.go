package history

import (
	"time"

	"github.com/latchfs/latchfs/internal/when"
)

// Alias finds the version that a word stands for among all versions of a key, oldest first: "first" is
// the oldest, "prev" the one before the newest, deletions included; a time is what was current then,
// in UTC where it names no zone (when.Parse). ok is false if there is none, or the word is not known.
func Alias(versions []Version, word string, now time.Time) (v Version, ok bool) {
	n := -1
	switch word {
	case "first":
		n = 0
	case "prev":
		n = len(versions) - 2
	default:
		t, err := when.Parse(word, now, time.UTC)
		if err != nil {
			return v, false
		}
		for i, v := range versions {
			if v.Time.After(t) {
				break
			}
			n = i
		}
	}
	if n < 0 || n >= len(versions) {
		return v, false
	}
	return versions[n], true
}
