package fs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/when"
	"github.com/latchfs/latchfs/store"
)

// The times that are listed: the hours of a day, the days of a month, the months of five years.
func TestGrid(t *testing.T) {
	for _, now := range []time.Time{
		time.Date(2026, 11, 22, 18, 29, 5, 7, time.UTC), time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 31, 23, 59, 59, 0, time.UTC),
	} {
		times := grid(now.In(time.FixedZone("east", 3600)))
		if !slices.IsSortedFunc(times, time.Time.Compare) || times[len(times)-1].After(now) {
			t.Errorf("%v: not in order, or in the future", now)
		}
		var hours, days, months int
		for _, at := range times {
			switch {
			case !at.Equal(at.Truncate(time.Hour)):
				t.Errorf("%v: %v is no full hour", now, at)
			case at.Day() == 1 && at.Hour() == 0:
				months++
			case at.Hour() == 0:
				days++
			default:
				hours++
			}
		}
		if hours != 23 || days < 27 || days > 30 || months < 60 || months > 61 {
			t.Errorf("%v: %d hours, %d days, %d months", now, hours, days, months)
		}
		if first := times[0]; first.After(now.AddDate(-5, 1, 0)) || first.Before(now.AddDate(-5, 0, 0)) {
			t.Errorf("%v: begins with %v", now, first)
		}
	}
}

// Listing the times asks the bucket for nothing; each of them can be looked up.
func TestTimesAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.save("f", "x")
		time.Sleep(time.Hour)
		at := w.walk(".versions/@")
		before := w.bucket.Requests()
		names, numbers := w.entries(at)
		if got := w.bucket.Requests(); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Errorf("%v were sent, and %v before", got, before)
		}
		if len(names) < 100 || len(names) > 120 {
			t.Errorf("%d times", len(names))
		}
		for _, name := range names {
			if n := w.find(at, name); w.inode(n) != numbers[name] {
				t.Errorf("%s has number %d, readdir says %d", name, w.inode(n), numbers[name])
			}
		}
		if got := w.list(w.walk(".versions")); strings.Contains(got, "@") {
			t.Errorf(".versions lists %q", got)
		}
		past := w.past("", time.Now())
		_, numbers = w.entries(past)
		if f := w.inode(w.find(past, "f")); f != numbers["f"] || f == w.inode(w.find(root, "f")) {
			t.Errorf("f has the numbers %d and, in readdir, %d", f, numbers["f"])
		}
	})
}

// Other forms of a time are symlinks to it; what is none is not there.
func TestFormsOfATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		time.Sleep(24 * time.Hour)
		at := w.walk(".versions/@")
		now := time.Now()
		for name, want := range map[string]time.Time{
			"2h": now.Add(-2 * time.Hour), "-90m": now.Add(-90 * time.Minute), "yesterday": now.AddDate(0, 0, -1),
			"2000-01-01": now.AddDate(0, 0, -1), "2000-01-01T02:00:00+02:00": now.AddDate(0, 0, -1),
		} {
			n := w.find(at, name)
			if got := w.readlink(n); got != when.Path(want) {
				t.Errorf("%s leads to %s, want %s", name, got, when.Path(want))
			}
			if a := w.attr(n); a.Mode != unix.S_IFLNK|0o777 || int(a.Size) != len(when.Path(want)) {
				t.Errorf("%s: mode %o, size %d", name, a.Mode, a.Size)
			}
		}
		for _, name := range []string{"tomorrow", "2h ago", "f", when.Path(now.Add(time.Hour)), "1969-01-01", ".versions", "..."} {
			w.missing(at, name)
		}
		w.missing(w.past("", now), ".versions")
		w.missing(w.past("", now), "none")
	})
}

// An age means one time as long as it is in use, and not for too long.
func TestAgesInUse(t *testing.T) {
	a := ages{m: make(map[string]moment)}
	begin := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	means := func(name string, after, want time.Duration) {
		t.Helper()
		got, err := a.moment(name, begin.Add(after))
		if err != nil || !got.Equal(begin.Add(want)) {
			t.Errorf("%s after %v: %v later than at first, %v; want %v", name, after, got.Sub(begin), err, want)
		}
	}
	means("2h", 0, -2*time.Hour)
	means("2h", 59*time.Second, -2*time.Hour)
	means("1m", 59*time.Second, -time.Second)
	means("2h", 118*time.Second, -2*time.Hour)
	means("1m", 118*time.Second, -time.Second)
	means("1m", 119*time.Second, 59*time.Second)
	means("2h", 177*time.Second, -2*time.Hour)
	for s := 210; s < 360; s += 40 {
		means("2h", time.Duration(s)*time.Second, -2*time.Hour)
	}
	means("2h", 6*time.Minute, -2*time.Hour+6*time.Minute) // it was in use for long
	means("2h", 7*time.Minute, -2*time.Hour+7*time.Minute) // it was not in use
	for i := range 3 * maxAges {
		means(fmt.Sprintf("%dh", i+3), 7*time.Minute, 7*time.Minute-time.Duration(i+3)*time.Hour)
		if len(a.m) > maxAges {
			t.Fatalf("%d ages are kept", len(a.m))
		}
	}
	if _, err := a.moment("nonsense", begin); err == nil {
		t.Error("nonsense is a time")
	}
}

// someLabels are those of every directory.
type someLabels map[string]time.Time

func (l someLabels) All(context.Context, string) (all []DirLabel, err error) {
	for name, at := range l {
		all = append(all, DirLabel{name, at})
	}
	return all, nil
}

func (l someLabels) Find(_ context.Context, _, name string) (DirLabel, bool, error) {
	if name == "broken" {
		return DirLabel{}, false, store.ErrAccessDenied
	}
	at, ok := l[name]
	return DirLabel{name, at}, ok, nil
}

// A label of a directory is a symlink to its time, before all others in the list, and leads to where it
// is now.
func TestLabelsAreTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		time.Sleep(time.Hour)
		labels := someLabels{"release": time.Now().Add(-time.Minute)}
		w.front.dirLabels = labels
		at := w.walk(".versions/@")
		if names, _ := w.entries(at); names[0] != "release" || len(names) < 100 {
			t.Errorf("%d names, the first is %q", len(names), names[0])
		}
		for range 2 {
			if got := w.readlink(w.find(at, "release")); got != when.Path(labels["release"]) {
				t.Errorf("release leads to %s", got)
			}
			labels["release"] = time.Now()
		}
		w.missing(at, "none")
		if _, s := w.lookup(at, "broken"); s != fuse.EACCES {
			t.Errorf("labels that may not be read: %v", s)
		}
	})
}
