package store

import (
	"hash/fnv"
	"io"
	"time"
)

// PartSize is the size in bytes of one part of a multipart upload and the largest
// body sent as a single PutObject: an abandoned attempt of this size dies within the
// quiet time (LOCKS P4.3).
const PartSize = 8 << 20

// Limits of S3.
const (
	// MaxParts bounds the parts of one upload.
	MaxParts = 10000
	// MaxKey bounds the bytes of a key, in UTF-8.
	MaxKey = 1024
	// MaxMeta bounds the user metadata of an object: bytes of names and values.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
	MaxMeta = 2 << 10
)

// MaxObject is the size in bytes of the largest object that is made: more has ErrTooLarge.
const MaxObject = 5 << 40

// MaxPut is the size in bytes of the largest object that is made by one request.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const MaxPut = 5 << 30

// An Info describes one version of one object, or what a listing says of it.
type Info struct {
	Key       string
	ETag      string // as the server gave it, without quotes; opaque
	VersionID string // "" where the bucket never was versioned; "null" is a version id
	Size      int64
	// LastModified has whole seconds on S3; for a multipart upload it is the time of
	// its start, which also is its place among the versions.
	LastModified time.Time
	// Settled: LastModified had been over for so long when a HEAD or GET was answered, by the
	// server's own clock, that no later version of the key has the same. So a listing which shows
	// this ETag and this time shows this version.
	Settled bool
	// Lock is complete after Head and Get, if the credentials may know of it.
	Lock Lock
	// Props is complete after Head and Get; a listing gives the storage class alone.
	Props Props
}

// ModTime is the time at which the content was last changed: what the metadata say, else
// LastModified. That has whole seconds, by which the kernel would not notice another
// object of the same size written within one; so its nanoseconds are made from the ETag.
func (i Info) ModTime() time.Time {
	if p := ReadPosix(i.Props.Meta); p.Has&HasMtime != 0 {
		return p.Mtime
	}
	if i.LastModified.IsZero() {
		return i.LastModified
	}
	h := fnv.New32a()
	io.WriteString(h, i.ETag) // never fails
	return i.LastModified.Truncate(time.Second).Add(time.Duration(h.Sum32() % 1e9))
}

// Base gives what an author saw under the name: the precondition of his next write.
func (i Info) Base() Base {
	return Base{ETag: i.ETag, VersionID: i.VersionID, LastModified: i.LastModified}
}

// Props is everything of an object besides its bytes. A rewrite carries all of it
// over (SEMANTICS G9).
type Props struct {
	// Meta is the user metadata: lower-case names without the x-amz-meta- prefix, values
	// as they stand in the header.
	Meta               map[string]string
	ContentType        string
	CacheControl       string
	ContentDisposition string
	ContentEncoding    string
	ContentLanguage    string
	Expires            string
	WebsiteRedirect    string
	StorageClass       string // "" is STANDARD
	Encryption         string // x-amz-server-side-encryption
	KMSKeyID           string
	BucketKey          bool
	// TagCount is the number of tags as HEAD reports it. The store reads the tags
	// themselves when a rewrite has to carry them over.
	TagCount int
}

// Base is what an author saw under a name. The zero Base means: nothing is there (never
// was, or a delete marker is current).
type Base struct {
	ETag         string
	VersionID    string
	LastModified time.Time
}

// Absent says that nothing was there.
func (b Base) Absent() bool { return b.ETag == "" }

// Pinned tells whether the version id names these bytes for ever. "null" does not: while
// versioning is suspended, it is overwritten as an object of an unversioned bucket is.
func (b Base) Pinned() bool { return b.VersionID != "" && b.VersionID != nullVersion }

// nullVersion is the version id of what was written while versioning was not on.
const nullVersion = "null"

// Same tells whether both name the same version: the same version id, or without one the same
// ETag and LastModified (LOCKS P4.2). Whole seconds are compared: a HEAD has no more.
func (b Base) Same(o Base) bool {
	switch {
	case b.ETag != o.ETag:
		return false
	case b.Absent():
		return true
	case b.Pinned() || o.Pinned():
		return b.VersionID == o.VersionID
	}
	return b.LastModified.Truncate(time.Second).Equal(o.LastModified.Truncate(time.Second))
}

// A WriteID is the random id that every commit carries in its metadata
// (latchfs-write-id), by which it is recognised after a lost reply.
type WriteID string

// A Permit allows requests that change the bucket: a lease that is still valid.
// Every attempt of a mutation asks it before its first byte and before its last.
type Permit interface {
	// Check returns nil while a request may start, else why not.
	Check() error
}

// A Write is one conditional mutation of a key.
type Write struct {
	Key string
	// ID is journalled by the caller before the first byte is sent.
	ID WriteID
	// Base is the precondition: If-Match with its ETag, or If-None-Match: * when absent.
	Base Base
	// Props are set on the new version. Where TagCount is not zero the tags of Base, in a
	// copy those of the source, are read and carried over. The store adds our own keys
	// (latchfs-write-id, latchfs-base) and the audit.
	Props Props
	// Audit is what the new version says of its author, for people.
	Audit Audit
	// Progress, if set, is told of bytes the server took, for deadlines that a moving
	// upload resets. It is called from several goroutines.
	Progress func(n int64)
	// Unanswered, if set, is called once when an attempt's outcome has become
	// unknown: from then on the flush timeout runs.
	Unanswered func(error)
	// Uploading, if set, is told the id of each multipart upload before its first part is
	// sent, so that whoever recovers a dead process can abort it. Its error ends the write.
	Uploading func(upload string) error
}

// A Body is the content of a write: Size bytes that do not change while they are read.
type Body struct {
	io.ReaderAt
	Size int64
}

// A Range is a span of bytes [Offset, Offset+Length). Length -1 means to the end.
type Range struct {
	Offset int64
	Length int64
}

// Timing are the times of the commit protocol, from the lock table's configuration.
type Timing struct {
	// Quiet is D: how long to wait after the connection of an unanswered attempt was
	// closed before looking up what happened.
	Quiet time.Duration
	// Stall is T: an attempt without progress for this long is ended.
	Stall time.Duration
}
