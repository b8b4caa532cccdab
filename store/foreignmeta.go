package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Names of the attributes in the metadata of s3fs, geesefs and rclone, which share names
// and not forms: the mode is decimal in s3fs (33188) and octal in rclone --metadata (100644);
// times are seconds with or without a fraction, in rclone --metadata RFC 3339.
const (
	foreignMode  = "mode"
	foreignUID   = "uid"
	foreignGID   = "gid"
	foreignMtime = "mtime"
	foreignAtime = "atime"
	// foreignCtime is the ctime of s3fs, which shows LastModified without it: get_ctime in
	// https://github.com/s3fs-fuse/s3fs-fuse/blob/master/src/metaheader.cpp
	foreignCtime = "ctime"
)

// readForeign reads the keys of s3fs and rclone alone.
func readForeign(meta map[string]string) (p Posix) {
	p.Mode = field(&p, HasMode, meta[foreignMode], parseForeignMode)
	p.UID = field(&p, HasUID, meta[foreignUID], parseID)
	p.GID = field(&p, HasGID, meta[foreignGID], parseID)
	p.Mtime = field(&p, HasMtime, meta[foreignMtime], parseForeignTime)
	p.Atime = field(&p, HasAtime, meta[foreignAtime], parseForeignTime)
	return p
}

// parseForeignMode reads both forms: no decimal st_mode reads as an octal one of six digits
// with type bits. We write the decimal one: s3fs takes an octal mode for a file of another type.
func parseForeignMode(s string) (uint32, bool) {
	if mode, ok := parseOctalMode(s); ok && mode >= 0o100000 {
		return mode, true
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n <= maxMode
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
