package when

import (
	"fmt"
	"slices"
	"time"
)

// The clocks of a zone show some times of the day twice and others never, when they are changed. In
// what follows wall is what they show, as if it were UTC.

// local gives the only moment at which the clocks of the zone show that time.
func local(wall time.Time, zone *time.Location) (time.Time, error) {
	switch at := moments(wall, zone); len(at) {
	case 0:
		return wall, fmt.Errorf("does not exist in the zone %s, whose clocks were put forward then: write it in UTC, with Z at its end", zone)
	case 1:
		return at[0], nil
	default:
		return wall, fmt.Errorf("was twice in the zone %s, whose clocks were put back then: write it as %s or as %s",
			zone, at[0].Format(time.RFC3339), at[1].Format(time.RFC3339))
	}
}

// beginOfDay gives the first moment of a day. Not every day begins at midnight.
func beginOfDay(midnight time.Time, zone *time.Location) time.Time {
	if at := moments(midnight, zone); len(at) > 0 {
		return at[0]
	}
	// The clocks went from before midnight to after it. The time package reads midnight by what was
	// right before or by what was right after.
	t := inZone(midnight, zone)
	start, end := t.ZoneBounds()
	if shows(t).Before(midnight) {
		return end
	}
	return start
}

// moments gives all moments at which the clocks of the zone show that time, in their order.
func moments(wall time.Time, zone *time.Location) (at []time.Time) {
	t := inZone(wall, zone)
	start, end := t.ZoneBounds()
	candidate := func(offsetOf time.Time) {
		_, offset := offsetOf.Zone()
		c := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if shows(c).Equal(wall) {
			at = append(at, c)
		}
	}
	if !start.IsZero() {
		candidate(start.Add(-1))
	}
	candidate(t)
	if !end.IsZero() {
		candidate(end)
	}
	slices.SortFunc(at, time.Time.Compare)
	return slices.CompactFunc(at, time.Time.Equal)
}

// inZone gives a moment at which the clocks of the zone show that time, or, if there is none, one at
// which they show a time close to it.
func inZone(wall time.Time, zone *time.Location) time.Time {
	return time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), zone)
}

// shows gives what the clocks of its zone show at a moment.
func shows(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}
