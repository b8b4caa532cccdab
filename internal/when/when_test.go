package when

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

// now is a Sunday; in Berlin it is an hour later.
var now = time.Date(2026, 11, 22, 18, 29, 5, 700, time.UTC)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestParse(t *testing.T) {
	for _, tt := range []struct{ s, zone, want string }{
		{"2026-11-22T18:29:05Z", "Europe/Berlin", "2026-11-22T18:29:05Z"},
		{"2026-11-22T18.29.05Z", "Europe/Berlin", "2026-11-22T18:29:05Z"},
		{"2026-11-22T18:29:05.25Z", "UTC", "2026-11-22T18:29:05.25Z"},
		{"2026-11-22T18.29.05.25Z", "UTC", "2026-11-22T18:29:05.25Z"},
		{"2026-11-22T18:29:05+02:00", "UTC", "2026-11-22T16:29:05Z"},
		{"2026-11-22T08.29.05-0730", "UTC", "2026-11-22T15:59:05Z"},
		{"2026-11-22T18:29", "UTC", "2026-11-22T18:29:00Z"},
		{"2026-11-22T18:29", "Europe/Berlin", "2026-11-22T17:29:00Z"},
		{"2026-07-22T18.29", "Europe/Berlin", "2026-07-22T16:29:00Z"},
		{"2026-11-22T18:29Z", "Europe/Berlin", "2026-11-22T18:29:00Z"},
		{"2026-11-22", "UTC", "2026-11-22T00:00:00Z"},
		{"2026-11-22", "Europe/Berlin", "2026-11-21T23:00:00Z"},
		{"2024-02-29", "UTC", "2024-02-29T00:00:00Z"},
		{"1970-01-01", "UTC", "1970-01-01T00:00:00Z"},
		// Another host's clock may be ahead.
		{"2026-11-22T18:30:05Z", "UTC", "2026-11-22T18:30:05Z"},

		{"0s", "UTC", "2026-11-22T18:29:05.0000007Z"},
		{"30s", "UTC", "2026-11-22T18:28:35.0000007Z"},
		{"90m", "UTC", "2026-11-22T16:59:05.0000007Z"},
		{"-90m", "UTC", "2026-11-22T16:59:05.0000007Z"},
		{"2h", "UTC", "2026-11-22T16:29:05.0000007Z"},
		{"7d", "UTC", "2026-11-15T18:29:05.0000007Z"},
		{"4w", "UTC", "2026-10-25T18:29:05.0000007Z"},
		{"1y", "UTC", "2025-11-22T18:29:05.0000007Z"},
		{"1d12h", "UTC", "2026-11-21T06:29:05.0000007Z"},
		{"yesterday", "UTC", "2026-11-21T18:29:05.0000007Z"},
		// The clocks were put back on October 25: days are those of the calendar, hours are exact.
		{"30d", "Europe/Berlin", "2026-10-23T17:29:05.0000007Z"},
		{"720h", "Europe/Berlin", "2026-10-23T18:29:05.0000007Z"},
	} {
		got, err := Parse(tt.s, now, zone(t, tt.zone))
		if s := got.Format(time.RFC3339Nano); err != nil || s != tt.want {
			t.Errorf("%s in %s: %s, %v; want %s", tt.s, tt.zone, s, err, tt.want)
		}
	}
}

// What is no time says what to write.
func TestNoTime(t *testing.T) {
	for _, s := range []string{"", "-", "--2h", "+2h", "h", "2", "2 h", "2H", "1.5h", "3mo", "1h2d", "1h1h", "2h ago", "today", "Yesterday", "yesterday ",
		"18:29", "22.11.2026", "2026-11", "2026-11-22T", "2026-11-22T18", "2026-11-22 18:29", "2026-11-22t18:29z", "2026-11-22T18:29:05.Z",
		"2026-11-22T18.29.05Z.000~3sL4kqtJ", "2026-11-22T18:29+1", "2026-11-22Z", "2026-11-31", "2026-13-01", "2025-02-29", "2026-11-22T24:00",
		"2026-11-22T18:60", "2026-11-22T18:29:60Z", "2026-11-22T18:29:05+30:00", "2026-11-22T18:29:05+02:60", "\xff", "2h\x00",
		"1969-12-31", "0000-01-01", "57y", "1970y", "2000y", "9999999h", "99999999999h", "99999999999999999999d", strings.Repeat("9", 1000) + "m",
		"2026-11-23", "2026-11-22T18:31", "9999-12-31",
	} {
		got, err := Parse(s, now, time.UTC)
		switch {
		case err == nil:
			t.Errorf("%q is %v", s, got)
		case !strings.HasSuffix(err.Error(), Forms):
			t.Errorf("%q does not name the forms: %v", s, err)
		case strings.Contains(err.Error(), "\n") || len(err.Error()) > 600:
			t.Errorf("%q: not one line that can be read: %v", s, err)
		}
	}
}

// Some times of the day do not exist, others are there twice, and a day need not begin at midnight.
func TestChangedClocks(t *testing.T) {
	for _, tt := range []struct{ s, zone, want, err string }{
		{"2026-03-29T01:59:59", "Europe/Berlin", "2026-03-29T00:59:59Z", ""},
		{"2026-03-29T02:00", "Europe/Berlin", "", "put forward"},
		{"2026-03-29T02:59:59", "Europe/Berlin", "", "put forward"},
		{"2026-03-29T03:00", "Europe/Berlin", "2026-03-29T01:00:00Z", ""},
		{"2026-10-25T01:59:59", "Europe/Berlin", "2026-10-24T23:59:59Z", ""},
		{"2026-10-25T02:00", "Europe/Berlin", "", "2026-10-25T02:00:00+02:00 or as 2026-10-25T02:00:00+01:00"},
		{"2026-10-25T02:59:59", "Europe/Berlin", "", "twice"},
		{"2026-10-25T03:00", "Europe/Berlin", "2026-10-25T02:00:00Z", ""},
		{"2026-10-25T02:30+01:00", "Europe/Berlin", "2026-10-25T01:30:00Z", ""},
		// West of Greenwich, and half an hour.
		{"2026-03-08T02:30", "America/New_York", "", "put forward"},
		{"2026-11-01T01:30", "America/New_York", "", "twice"},
		{"2026-11-01T00:30", "America/New_York", "2026-11-01T04:30:00Z", ""},
		{"2026-10-04T02:15", "Australia/Lord_Howe", "", "put forward"},
		{"2026-04-05T01:45", "Australia/Lord_Howe", "", "twice"},
		// Midnight that did not exist, and one that was there twice.
		{"2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z", ""},
		{"2018-11-04T00:30", "America/Sao_Paulo", "", "put forward"},
		{"2025-11-02", "America/Havana", "2025-11-02T04:00:00Z", ""},
		// Samoa had no December 30 in 2011: the 31st came after the 29th.
		{"2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z", ""},
		{"2011-12-31", "Pacific/Apia", "2011-12-30T10:00:00Z", ""},
	} {
		got, err := Parse(tt.s, now, zone(t, tt.zone))
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), tt.zone) {
				t.Errorf("%s in %s: %v, %v; want %q", tt.s, tt.zone, got, err, tt.err)
			}
			continue
		}
		if s := got.Format(time.RFC3339); err != nil || s != tt.want {
			t.Errorf("%s in %s: %s, %v; want %s", tt.s, tt.zone, s, err, tt.want)
		}
	}
}

func TestPath(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 999_999_999, zone(t, "Asia/Tokyo"))
	if got := Path(at); got != "2026-01-01T18.04.05Z" {
		t.Error(got)
	}
	if got, err := Parse(Path(at), now, zone(t, "Asia/Tokyo")); err != nil || !got.Equal(at.Truncate(time.Second)) {
		t.Errorf("%v, %v", got, err)
	}
}

// FuzzParse: whatever somebody writes is a time of the past that its own form names again, or an
// error of one line.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"2026-11-22T18.29.05.25+01:00", "1y2w3d4h5m6s", "-2h", "yesterday", "2026-03-29T02:30", "0001-01-01", "2011-12-30", "\xff\n"} {
		for _, z := range []uint8{0, 1, 2, 3} {
			f.Add(s, now.Unix(), z)
		}
	}
	zones := []*time.Location{time.UTC, zone(f, "Europe/Berlin"), zone(f, "Pacific/Apia"), zone(f, "America/Havana")}
	f.Fuzz(func(t *testing.T, s string, at int64, z uint8) {
		now, zone := time.Unix(at&(1<<33-1), 0), zones[int(z)%len(zones)]
		got, err := Parse(s, now, zone)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if got.Year() < 1970 || got.After(now.Add(time.Minute)) {
			t.Errorf("%q at %v is %v", s, now, got)
		}
		if again, err := Parse(Path(got), now, zone); err != nil || !again.Equal(got.Truncate(time.Second)) {
			t.Errorf("%q is %v, its path %s is %v, %v", s, got, Path(got), again, err)
		}
		if again, err := Parse(got.Format(time.RFC3339Nano), now, zone); err != nil || !again.Equal(got) {
			t.Errorf("%q is %v, which is %v, %v", s, got, again, err)
		}
	})
}
