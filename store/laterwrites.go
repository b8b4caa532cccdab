package store

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// Attributes of a file can stand twice in its metadata: under the AWS keys, and under those that
// s3fs and rclone share. Whoever changes them writes his own keys and keeps the others, so that
// what we or DataSync wrote is old after a `rclone touch`, and what s3fs wrote is old after
// DataSync. Nothing in S3 tells the times of keys.
//
// We write both, in step, with a digest of what is under the AWS keys. As long as that matches,
// nobody else has written those, and a value of s3fs or rclone that differs was written later:
// it counts. If it does not match, another tool wrote the AWS keys later, or an older latchfs,
// which keeps the others in step and does not know the digest: the AWS keys count, as they do
// on an object that we never wrote. If both were written since, nobody can tell the order; then
// it is the AWS keys too. A copy that keeps the metadata keeps all of this.
//
// A tool that puts back what it read, with less precision, has not written. So the digest is
// of values and not of strings, and has milliseconds, the other unit of the AWS keys.

// digestSize is the length of a digest in the metadata.
const digestSize = 8

// digest gives that of the attributes that p has.
func (p Posix) digest() string {
	h := fnv.New32a()
	number := func(bit PosixField, v any) {
		if p.Has&bit != 0 {
			fmt.Fprint(h, bit, "=", v, ";") // never fails
		}
	}
	number(HasMode, p.Mode)
	number(HasUID, p.UID)
	number(HasGID, p.GID)
	number(HasMtime, p.Mtime.UnixMilli())
	number(HasAtime, p.Atime.UnixMilli())
	return fmt.Sprintf("%0*x", digestSize, h.Sum32())
}

// asWritten tells whether the attributes under the AWS keys are those that we wrote.
func asWritten(meta map[string]string, aws Posix) bool {
	return meta[metaDigest] == aws.digest()
}

// fitDigested puts the digest into metadata with attributes, and leaves out what has no room.
func fitDigested(meta map[string]string) error {
	meta[metaDigest] = strings.Repeat("0", digestSize)
	if err := fitMeta(meta, MaxMeta-ownReserve); err != nil {
		return err
	}
	if _, fits := meta[metaDigest]; fits {
		meta[metaDigest] = readAWS(meta).digest()
	}
	return nil
}

// deviates gives those of the attributes under the keys of s3fs and rclone, which meta has, that
// say something else than the AWS keys, more than a loss of precision.
func (p Posix) deviates(aws Posix, meta map[string]string) (fields PosixField) {
	differs := func(bit PosixField, differs bool) {
		if p.Has&aws.Has&bit != 0 && differs {
			fields |= bit
		}
	}
	mode := aws.Mode
	if p.Mode&modeType == 0 {
		mode &^= modeType
	}
	differs(HasMode, p.Mode != mode)
	differs(HasUID, p.UID != aws.UID)
	differs(HasGID, p.GID != aws.GID)
	differs(HasMtime, !reduced(aws.Mtime, p.Mtime, meta[foreignMtime]))
	differs(HasAtime, !reduced(aws.Atime, p.Atime, meta[foreignAtime]))
	return fields
}

// modeType are the type bits of st_mode.
const modeType = 0o170000

// reduced tells whether the time to, whose form is s, is the time from with less precision: cut
// off, or rounded if s has a fraction. Below a microsecond it also is one that went through a
// float64, which has 53 bits.
func reduced(from, to time.Time, s string) bool {
	_, fraction, _ := strings.Cut(s, ".")
	unit, rounded := time.Second, time.Duration(0)
	for i := 0; i < len(fraction) && '0' <= fraction[i] && fraction[i] <= '9'; i++ {
		unit = max(unit/10, time.Microsecond)
		rounded = unit / 2
	}
	lost := from.Sub(to)
	return -rounded <= lost && lost < unit
}
