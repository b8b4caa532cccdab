package store

import (
	"context"
	"io"
	"time"
)

// An API is the requests that a Client sends, one attempt each: nothing in it retries.
// DialS3 gives the real one, memstore a complete fake; faultstore wraps either. A method
// that fails returns an *AttemptError, except that the error of ctx may be wrapped in one
// whose Fate says what the attempt can have done.
type API interface {
	Head(ctx context.Context, in HeadRequest) (Info, error)
	// Get answers with an open body, which the caller closes. The body's Read fails with
	// an *AttemptError too.
	Get(ctx context.Context, in GetRequest) (*Object, error)
	List(ctx context.Context, o ListOptions) (ListPage, error)
	ListVersions(ctx context.Context, o VersionOptions) (VersionPage, error)
	// Tags gives an object's tags in the form of the x-amz-tagging header.
	Tags(ctx context.Context, key, version string) (string, error)
	// SetTags replaces the tags of a version, in the same form. It makes no version.
	SetTags(ctx context.Context, key, version, tags string) error

	// Put, Copy and CompleteUpload give key, ETag and version id of what they made;
	// LastModified too where the answer has it. What CompleteUpload makes is as old as the
	// upload: a version that was made since CreateUpload stays the current one.
	Put(ctx context.Context, in PutRequest) (Info, error)
	Copy(ctx context.Context, in CopyRequest) (Info, error)
	Delete(ctx context.Context, in DeleteRequest) error
	// DeleteVersion removes a version or a delete marker for good. It succeeds if that is gone.
	DeleteVersion(ctx context.Context, key, version string) error

	CreateUpload(ctx context.Context, in CreateUploadRequest) (upload string, err error)
	UploadPart(ctx context.Context, in PartRequest) (Part, error)
	CopyPart(ctx context.Context, in CopyPartRequest) (Part, error)
	CompleteUpload(ctx context.Context, in CompleteRequest) (Info, error)
	AbortUpload(ctx context.Context, key, upload string) error
	ListUploads(ctx context.Context, o UploadOptions) (UploadPage, error)

	// HeadBucket fails with ErrNoBucket or ErrAccessDenied.
	HeadBucket(ctx context.Context) error
	// CreateBucket is refused with the code BucketAlreadyOwnedByYou if it is there and ours;
	// us-east-1 may say nothing instead.
	CreateBucket(ctx context.Context) error
	Versioning(ctx context.Context) (Versioning, error)
	EnableVersioning(ctx context.Context) error
	// DefaultRetention is the rule by which Object Lock retains what is written; the zero
	// Retention if there is none.
	DefaultRetention(ctx context.Context) (Retention, error)
	// Lifecycle gives the bucket's rules; without any it is refused with the code
	// NoSuchLifecycleConfiguration.
	Lifecycle(ctx context.Context) (Lifecycle, error)
	// SetLifecycle replaces all rules of the bucket; no rules are none.
	SetLifecycle(ctx context.Context, l Lifecycle) error
	// Server gives the Server header of the latest answer, "" if that had none.
	Server() string
	// Skew gives by how much the server's clock was ahead of ours at its latest answer; ok is
	// false if there was none, or it did not tell.
	Skew() (d time.Duration, ok bool)
}

// Fate is what an attempt that failed can have done (LOCKS P4).
type Fate uint8

const (
	// Refused: the server answered, and the request has no effect. The cause says why.
	Refused Fate = iota
	// Unsent: the request has no effect, and the same request may succeed if it is sent
	// again at once or after a pause: dialling failed, the body was not handed out to its
	// last byte, or the server is too busy.
	Unsent
	// Unknown: the request may have had its effect, or have it yet.
	Unknown
)

func (f Fate) String() string { return [...]string{"refused", "unsent", "unknown"}[f] }

// An AttemptError is the end of an attempt that did not succeed. Err matches one of the
// errors of errors.go where one applies (ErrPrecondition, ErrNotFound, ...).
type AttemptError struct {
	Op   string // the method of API: Head, CompleteUpload, ...
	Key  string
	Fate Fate
	Code string // the service's error code, "" if it gave none
	Err  error
}

func (e *AttemptError) Error() string {
	s := e.Op
	if e.Key != "" {
		s += " " + e.Key
	}
	if e.Fate == Unknown {
		s += " (outcome unknown)"
	}
	return s + ": " + e.Err.Error()
}

func (e *AttemptError) Unwrap() error { return e.Err }

// A Condition is a precondition of a request: at most one of the two.
type Condition struct {
	IfMatch string // this ETag (without quotes) is current
	IfNone  bool   // If-None-Match: *, nothing is current
}

// HeadRequest asks for an object's properties; Version "" is the current one.
type HeadRequest struct {
	Key, Version string
}

// GetRequest asks for bytes of an object.
type GetRequest struct {
	Key     string
	Version string
	IfMatch string
	Range   *Range // nil: all of it
}

// PutRequest writes an object in one piece.
type PutRequest struct {
	Key   string
	Cond  Condition
	Props Props
	Tags  string // in the form of the x-amz-tagging header; "" for none
	Body  BodyReader
	Size  int64
	// CRC32C is the checksum of the body, in base64, by which the server checks it.
	CRC32C string
}

// A BodyReader is the body of one attempt. Its Read may fail before the last byte; then
// the attempt is Unsent and its error wraps that of Read.
type BodyReader interface {
	io.ReadSeeker
}

// CopyRequest copies a version of an object, whose bytes stay in the store.
type CopyRequest struct {
	Key     string
	Cond    Condition
	Source  string // key
	Version string // of the source; "" is the current one
	IfMatch string // ETag of the source
	// Props and Tags replace those of the source.
	Props Props
	Tags  string
}

// DeleteRequest removes the current version of a name; on a versioned bucket by a delete
// marker.
type DeleteRequest struct {
	Key     string
	IfMatch string
}

// CreateUploadRequest begins a multipart upload.
type CreateUploadRequest struct {
	Key   string
	Props Props
	Tags  string
}

// PartRequest uploads one part; Number counts from 1.
type PartRequest struct {
	Key, Upload string
	Number      int32
	Body        BodyReader
	Size        int64
	CRC32C      string
}

// CopyPartRequest makes a part of a range of another object.
type CopyPartRequest struct {
	Key, Upload string
	Number      int32
	Source      string
	Version     string
	IfMatch     string
	// Range {0, -1} is all of the source, for which no range is sent: S3 documents that it takes
	// one from sources over 5 MB alone.
	Range Range
}

// Part is an uploaded part.
type Part struct {
	Number int32
	ETag   string
	CRC32C string
}

// CompleteRequest makes an object of the parts.
type CompleteRequest struct {
	Key, Upload string
	Cond        Condition
	Parts       []Part
	Size        int64 // of the object, which the server compares
}

// An Object is an open answer to Get.
type Object struct {
	// Info is that of the whole object, also for a range.
	Info Info
	Body io.ReadCloser
}

// GetOptions choose what Client.Get reads.
type GetOptions struct {
	// VersionID, if set, is the version to read; otherwise the current one, which has to
	// have the ETag IfMatch if that is set.
	VersionID string
	IfMatch   string
	Range     *Range // nil: all of it
}

// ListOptions choose what a listing shows, in order of the keys' bytes.
type ListOptions struct {
	Prefix string
	// Delimiter "/" folds what is below a directory into one of ListPage.Prefixes.
	Delimiter string
	// Token continues after an earlier page.
	Token string
	// After: only keys after this one.
	After string
	Max   int // entries of a page; 0: 1000
}

// A ListPage is one page of a listing.
type ListPage struct {
	Objects  []Info // key, ETag, size, LastModified and storage class
	Prefixes []string
	Next     string // token of the next page; "" on the last one
}

// VersionOptions choose versions, in order of key and, in a key, newest first.
type VersionOptions struct {
	Prefix    string
	Delimiter string
	// KeyMarker and VersionMarker continue after an earlier page.
	KeyMarker, VersionMarker string
	Max                      int
}

// A Version is one version or delete marker of a name.
type Version struct {
	Info   Info // without properties; a delete marker has no ETag and size
	Latest bool
	// Deleted: it is a delete marker.
	Deleted bool
}

// A VersionPage is one page of versions and delete markers in the exact order of the
// server's answer.
type VersionPage struct {
	Versions             []Version
	Prefixes             []string
	NextKey, NextVersion string // "" on the last page
}

// A Source is the version that a copy reads.
type Source struct {
	Key  string
	Base Base
	Size int64 // bytes; large ones are copied by parts
}

// Outcome is what has become of a write whose answer was lost.
type Outcome uint8

const (
	// Unchanged: the base is still there; the write did not land and never will.
	Unchanged Outcome = iota
	// Landed: the write is in the bucket, perhaps superseded since.
	Landed
	// Changed: the name holds something else, and the write is not in its history, or may
	// never have been the current version (a multipart upload).
	Changed
)

func (o Outcome) String() string { return [...]string{"unchanged", "landed", "changed"}[o] }

// Settled is the result of Client.Settle.
type Settled struct {
	Outcome Outcome
	// Current is, if Landed, the version that the write made.
	Current Info
}
