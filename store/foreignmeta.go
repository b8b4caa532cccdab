package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Names of the attributes in the metadata of s3fs, geesefs and rclone, which share names
// and not forms: the mode is decimal in s3fs (33188) and octal in rclone (100644); times
// are seconds with or without a fraction, in rclone --metadata RFC 3339.
const (
	foreignMode  = "mode"
	foreignUID   = "uid"
	foreignGID   = "gid"
	foreignMtime = "mtime"
	foreignAtime = "atime"
)

// octal tells the form of a foreign mode: no decimal st_mode reads as an octal one of
// six digits with type bits.
func octal(s string) bool {
	n, err := strconv.ParseUint(s, 8, 32)
	return err == nil && n >= 0o100000 && n <= maxMode
}

func parseForeignMode(s string) (uint32, bool) {
	if octal(s) {
		return parseOctalMode(s)
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n <= maxMode
}

// foreignModeLike writes a mode in the form of old.
func foreignModeLike(old string, mode uint32) string {
	if octal(old) {
		return strconv.FormatUint(uint64(mode), 8)
	}
	return strconv.FormatUint(uint64(mode), 10)
}

// parseForeignTime reads seconds with an optional fraction, exactly: a float64 has no room
// for nanoseconds.
func parseForeignTime(s string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, true
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits, negative := strings.CutPrefix(whole, "-")
	sec, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return time.Time{}, false
	}
	nano, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
	if err != nil {
		return time.Time{}, false
	}
	if negative {
		return time.Unix(-int64(sec), -int64(nano)), true
	}
	return time.Unix(int64(sec), int64(nano)), true
}

// foreignTimeLike writes a time in the form of old; with a fraction unless that has none.
func foreignTimeLike(old string, t time.Time) string {
	switch {
	case strings.Contains(old, "T"):
		return t.Format(time.RFC3339Nano)
	case !strings.Contains(old, "."):
		return strconv.FormatInt(t.Unix(), 10)
	}
	sec, nano, sign := t.Unix(), int64(t.Nanosecond()), ""
	if sec < 0 {
		sign = "-"
		if sec = -sec; nano > 0 {
			sec, nano = sec-1, 1e9-nano
		}
	}
	return fmt.Sprintf("%s%d.%09d", sign, sec, nano)
}
