package store

import (
	"maps"
	"math"
	"strconv"
	"strings"
	"time"
)

// Names of the POSIX attributes in user metadata, as AWS DataSync, Storage Gateway and FSx
// for Lustre write and read them: st_mode in octal with its type bits, decimal ids, decimal
// nanoseconds followed by "ns".
// https://docs.aws.amazon.com/fsx/latest/LustreGuide/posix-metadata-support.html
const (
	metaMode  = "file-permissions"
	metaUID   = "file-owner"
	metaGID   = "file-group"
	metaMtime = "file-mtime"
	metaAtime = "file-atime"
)

// PosixField names fields of Posix; several are combined with |.
type PosixField uint8

// The fields of Posix.
const (
	HasMode PosixField = 1 << iota
	HasUID
	HasGID
	HasMtime
	HasAtime
)

// Posix are the attributes of a file that stand in user metadata. A field counts only if
// its bit is in Has.
type Posix struct {
	Mode         uint32 // st_mode, with type bits if whoever wrote it gave them
	UID, GID     uint32
	Mtime, Atime time.Time
	Has          PosixField
}

// ReadPosix finds the attributes in user metadata. Each is taken from the AWS keys if it
// stands there, else from those of s3fs, geesefs or rclone. What cannot be understood is
// not there.
func ReadPosix(meta map[string]string) Posix {
	var p Posix
	first := func(bit PosixField, readers ...func() bool) {
		for _, read := range readers {
			if read() {
				p.Has |= bit
				return
			}
		}
	}
	number := func(to *uint32, name string, parse func(string) (uint32, bool)) func() bool {
		return func() (ok bool) { *to, ok = parse(meta[name]); return }
	}
	moment := func(to *time.Time, name string, parse func(string) (time.Time, bool)) func() bool {
		return func() (ok bool) { *to, ok = parse(meta[name]); return }
	}
	first(HasMode, number(&p.Mode, metaMode, parseOctalMode), number(&p.Mode, foreignMode, parseForeignMode))
	first(HasUID, number(&p.UID, metaUID, parseID), number(&p.UID, foreignUID, parseID))
	first(HasGID, number(&p.GID, metaGID, parseID), number(&p.GID, foreignGID, parseID))
	first(HasMtime, moment(&p.Mtime, metaMtime, parseTime), moment(&p.Mtime, foreignMtime, parseForeignTime))
	first(HasAtime, moment(&p.Atime, metaAtime, parseTime), moment(&p.Atime, foreignAtime, parseForeignTime))
	return p
}

// Put returns a copy of meta with the attributes that p has; others stay as they are. Keys of
// s3fs and rclone that are in meta are kept in step, so that those tools see no stale mtime
// either. Where S3's 2 KiB are short, since the write id and the base need room too, it leaves
// out atime first and then the ids; it fails with ErrMetadataFull if mode and mtime alone do
// not fit.
func (p Posix) Put(meta map[string]string) (map[string]string, error) {
	out := maps.Clone(meta)
	if out == nil {
		out = make(map[string]string)
	}
	set := func(bit PosixField, name, value, foreign string, form func(old string) string) {
		if p.Has&bit == 0 {
			return
		}
		out[name] = value
		if old, ok := out[foreign]; ok {
			out[foreign] = form(old)
		}
	}
	decimal := func(id uint32) string { return strconv.FormatUint(uint64(id), 10) }
	set(HasMode, metaMode, "0"+strconv.FormatUint(uint64(p.Mode), 8), foreignMode, func(old string) string { return foreignModeLike(old, p.Mode) })
	set(HasUID, metaUID, decimal(p.UID), foreignUID, func(string) string { return decimal(p.UID) })
	set(HasGID, metaGID, decimal(p.GID), foreignGID, func(string) string { return decimal(p.GID) })
	set(HasMtime, metaMtime, formatTime(p.Mtime), foreignMtime, func(old string) string { return foreignTimeLike(old, p.Mtime) })
	set(HasAtime, metaAtime, formatTime(p.Atime), foreignAtime, func(old string) string { return foreignTimeLike(old, p.Atime) })
	dropOwn(out) // addOwn puts in new ones
	return out, fitMeta(out, MaxMeta-ownReserve)
}

// maxMode is the greatest st_mode: type, set-id and permission bits.
const maxMode = 0o177777

func parseOctalMode(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 8, 32)
	return uint32(n), err == nil && n <= maxMode
}

func parseID(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}

// parseTime reads nanoseconds with the suffix "ns"; without it the unit is milliseconds.
func parseTime(s string) (time.Time, bool) {
	digits, nanos := strings.CutSuffix(s, "ns")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	if nanos {
		return time.Unix(0, n), true
	}
	return time.UnixMilli(n), true
}

// formatTime writes nanoseconds; what 64 bits of them cannot say (before 1678, after 2262)
// is cut to the nearest that they can, as file systems do.
func formatTime(t time.Time) string {
	first, last := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)
	if t.Before(first) {
		t = first
	}
	if t.After(last) {
		t = last
	}
	return strconv.FormatInt(t.UnixNano(), 10) + "ns"
}
