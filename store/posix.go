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

// ReadPosix finds the attributes in user metadata. Where the AWS keys and those of s3fs and
// rclone differ in one, that counts which was written later; if that cannot be told, the AWS
// key (laterwrites.go). What cannot be understood is not there.
func ReadPosix(meta map[string]string) Posix {
	p, foreign := readAWS(meta), readForeign(meta)
	later := foreign.Has &^ p.Has
	if asWritten(meta, p) {
		later |= foreign.deviates(p, meta)
	}
	p.take(foreign, later)
	return p
}

// readAWS reads the AWS keys alone.
func readAWS(meta map[string]string) (p Posix) {
	p.Mode = field(&p, HasMode, meta[metaMode], parseOctalMode)
	p.UID = field(&p, HasUID, meta[metaUID], parseID)
	p.GID = field(&p, HasGID, meta[metaGID], parseID)
	p.Mtime = field(&p, HasMtime, meta[metaMtime], parseTime)
	p.Atime = field(&p, HasAtime, meta[metaAtime], parseTime)
	return p
}

// field parses a value, and notes that p has it.
func field[T any](p *Posix, bit PosixField, s string, parse func(string) (T, bool)) T {
	v, ok := parse(s)
	if ok {
		p.Has |= bit
	}
	return v
}

// take takes the fields of another one.
func (p *Posix) take(from Posix, fields PosixField) {
	take(&p.Mode, from.Mode, fields&HasMode)
	take(&p.UID, from.UID, fields&HasUID)
	take(&p.GID, from.GID, fields&HasGID)
	take(&p.Mtime, from.Mtime, fields&HasMtime)
	take(&p.Atime, from.Atime, fields&HasAtime)
	p.Has |= fields
}

func take[T any](to *T, from T, bit PosixField) {
	if bit != 0 {
		*to = from
	}
}

// Put returns a copy of meta with the attributes that p has, which has to be all that ReadPosix
// finds in meta; what else is there stays as it is. Keys of s3fs and rclone that are in meta are
// kept in step, so that those tools see what is true too; what has no value here, the ctime of
// s3fs, goes. Where S3's 2 KiB are short, since the write id and the base need room too, it leaves
// out atime first, then the digest and then the ids; it fails with ErrMetadataFull if mode and
// mtime alone do not fit.
func (p Posix) Put(meta map[string]string) (map[string]string, error) {
	out := maps.Clone(meta)
	if out == nil {
		out = make(map[string]string)
	}
	set := func(bit PosixField, name, value, foreign, like string) {
		if p.Has&bit == 0 {
			return
		}
		out[name] = value
		if _, ok := out[foreign]; ok {
			out[foreign] = like
		}
	}
	uid, gid := strconv.FormatUint(uint64(p.UID), 10), strconv.FormatUint(uint64(p.GID), 10)
	set(HasMode, metaMode, "0"+strconv.FormatUint(uint64(p.Mode), 8), foreignMode, strconv.FormatUint(uint64(p.Mode), 10))
	set(HasUID, metaUID, uid, foreignUID, uid)
	set(HasGID, metaGID, gid, foreignGID, gid)
	set(HasMtime, metaMtime, formatTime(p.Mtime), foreignMtime, foreignTimeLike(out[foreignMtime], p.Mtime))
	set(HasAtime, metaAtime, formatTime(p.Atime), foreignAtime, foreignTimeLike(out[foreignAtime], p.Atime))
	delete(out, foreignCtime)
	dropOwn(out) // addOwn puts in new ones
	return out, fitDigested(out)
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

func formatTime(t time.Time) string {
	return strconv.FormatInt(KeptTime(t).UnixNano(), 10) + "ns"
}

// KeptTime is the time that metadata keep of one: nanoseconds in 64 bits. What they cannot say (before
// 1678, after 2262) is cut to the nearest that they can, as file systems do.
func KeptTime(t time.Time) time.Time {
	first, last := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)
	// By their seconds: the order of times overflows where Unix does not.
	switch {
	case t.Unix() < first.Unix(), t.Unix() == first.Unix() && t.Before(first):
		t = first
	case t.Unix() > last.Unix(), t.Unix() == last.Unix() && t.After(last):
		t = last
	}
	return t
}
