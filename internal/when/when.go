// Package when reads the times that people write for a moment of the past, on a command line and in
// a path below .versions, and writes those of paths.
//
//	2026-11-22T18:29:05Z         RFC 3339, also with a fraction of the second or another zone
//	2026-11-22T18.29.05Z         the same without colons, as the names in .versions have it
//	2026-11-22T18:29, 2026-11-22 without seconds; the beginning of the day
//	90m, 2h, 7d, 4w, 1y, 1d12h   so long ago, also with a minus before it; m is minutes
//	yesterday                    1d
//
// What says no zone is in the one that the caller names: UTC in a path, local time in a command.
// Hours, minutes and seconds of an age are exact. Days, weeks and years are those of the calendar in
// that zone: the same time of the day, as date(1) has it, so that 1d may be 23 or 25 hours when the
// clocks change.
package when

import (
	"fmt"
	"regexp"
	"time"
)

// Forms says what Parse reads, for messages and for help.
const Forms = "2026-11-22, 2026-11-22T18:29, 2026-11-22T18.29.05Z, an age as 90m, 2h, 7d, 4w or 1y, or yesterday"

const (
	// PathForm is the layout of a time in a path, in UTC: tar, rsync and scp take "x:y" for a host.
	PathForm = "2006-01-02T15.04.05Z"
	wallForm = "2006-01-02T15:04:05.999999999"
	// ahead is how far in the future a time may be: the clocks of a server and of this host differ.
	ahead = time.Minute
	// oldest is the first year that is read. Every store is younger.
	oldest = 1970
)

var absolute = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)(?:T(\d\d)[:.](\d\d)(?:[:.](\d\d(?:\.\d{1,9})?))?(Z|[+-]\d\d:?[0-5]\d)?)?$`)

// Parse reads a time. now is what ages count from; zone is that of what says none. It fails, naming
// the forms or saying what to write, if s is no time, is one that the zone does not have or has
// twice, or is before 1970 or later than now.
func Parse(s string, now time.Time, zone *time.Location) (time.Time, error) {
	t, err := parse(s, now.In(zone), zone)
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("%.100q %w", s, err)
	case t.UTC().Year() < oldest:
		return time.Time{}, fmt.Errorf("%.100q is before %d: write a time as %s", s, oldest, Forms)
	case t.After(now.Add(ahead)):
		return time.Time{}, fmt.Errorf("%.100q is in the future, it is %s now: write a time as %s", s, now.UTC().Format(time.RFC3339), Forms)
	}
	return t.UTC(), nil
}

func parse(s string, now time.Time, zone *time.Location) (time.Time, error) {
	if s == "yesterday" {
		s = "1d"
	}
	m := absolute.FindStringSubmatch(s)
	if m == nil {
		return ago(s, now)
	}
	date, hour, minute, second, offset := m[1], m[2], m[3], m[4], m[5]
	if hour == "" {
		hour, minute = "00", "00"
	}
	if second == "" {
		second = "00"
	}
	wall, err := time.Parse(wallForm, date+"T"+hour+":"+minute+":"+second)
	if err != nil {
		return wall, fmt.Errorf("is no date or time of the day that exists: write a time as %s", Forms)
	}
	switch {
	case len(s) == len(date):
		return beginOfDay(wall, zone), nil
	case offset == "":
		return local(wall, zone)
	case offset == "Z":
		return wall, nil
	}
	east, err := time.Parse("-07:00", offset[:3]+":"+offset[len(offset)-2:])
	if err != nil {
		return wall, fmt.Errorf("has a zone that does not exist: write a time as %s", Forms)
	}
	_, seconds := east.Zone()
	return wall.Add(-time.Duration(seconds) * time.Second), nil
}

// Path gives a time as a name in .versions: in UTC, in whole seconds, without a colon.
func Path(t time.Time) string { return t.UTC().Format(PathForm) }
