package awserr

import (
	"errors"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
)

// Kind is what the answer to an S3 request says, by its code: the status does not tell,
// since S3 reports failures inside of a 200 too (CopyObject, CompleteMultipartUpload).
type Kind uint8

const (
	// Other: no answer, or one that says nothing of the kinds below.
	Other Kind = iota
	// Precondition: If-Match, If-None-Match or one of the copy source does not hold.
	Precondition
	// Busy: a conflicting operation ended while the condition was judged; nobody may have
	// won. OperationAborted, the other 409 that looks like it, is about buckets.
	Busy
	// NotFound: no such object, version or upload. A delete marker asked for by its version id
	// is one as well.
	NotFound
	// NoBucket: no such bucket. A HEAD has no body, hence cannot say so.
	NoBucket
	// AccessDenied: see Denied.
	AccessDenied
	// Credentials: see InvalidCredentials.
	Credentials
	// Retained: Object Lock holds the version.
	Retained
	// Archived: the object has to be restored from its archive first.
	Archived
	// TooLarge: over the limits of an object or of a single request.
	TooLarge
	// BadRange: the range starts beyond the end.
	BadRange
	// Invalid: the request is wrong in itself, or asks for what the server does not have.
	Invalid
	// Unknown: the server does not know such a request.
	Unknown
	// Again: the request was not carried out, and the same one may succeed later.
	Again
)

// KindOf classifies the error of an S3 request.
func KindOf(err error) Kind {
	code := Code(err)
	// 304 is how RFC 9110 has a read answered whose If-None-Match does not hold. Some servers answer a
	// write so, and a 304 has no body, hence no code.
	if Status(err) == http.StatusNotModified {
		return Precondition
	}
	switch code {
	case "PreconditionFailed":
		return Precondition
	case "ConditionalRequestConflict":
		return Busy
	case "NoSuchKey", "NotFound", "NoSuchVersion", "NoSuchUpload":
		return NotFound
	case "MethodNotAllowed":
		// "If the specified version in the request is a delete marker, the response returns
		// a 405 Method Not Allowed error" (API reference of HeadObject).
		if header(err).Get("X-Amz-Delete-Marker") == "true" {
			return NotFound
		}
		return Unknown
	case "NotImplemented", "XNotImplemented":
		return Unknown
	case "NoSuchBucket":
		return NoBucket
	case "InvalidObjectState", "ObjectNotInActiveTierError": // the latter of the source of a copy
		return Archived
	case "EntityTooLarge":
		return TooLarge
	case "InvalidRange", "RequestedRangeNotSatisfiable":
		return BadRange
	case "ObjectLocked":
		return Retained
	case "InvalidRequest":
		if aboutObjectLock(err) {
			return Retained
		}
		return Invalid
	case "InvalidArgument", "InvalidPart", "InvalidPartOrder", "EntityTooSmall":
		return Invalid
	case "SlowDown", "TooManyRequests", // not taken on
		"RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentChecksumMismatch", // not received as it was sent
		"RequestTimeTooSkewed", // not admitted, until the next signature
		"TemporaryRedirect":    // the bucket is new and DNS does not know its place yet
		return Again
	}
	switch {
	case InvalidCredentials(err):
		return Credentials
	case Status(err) == http.StatusNotImplemented: // of a server that says no more
		return Unknown
	case !denied(code):
		return Other
	case !Denied(err):
		return Again
	case aboutObjectLock(err):
		return Retained
	}
	return AccessDenied
}

// aboutObjectLock tells by the message why a request was refused; there is no other evidence.
// S3 and versitygw say AccessDenied "Access Denied because object protected by object lock.",
// MinIO InvalidRequest "Object is WORM protected and cannot be overwritten".
func aboutObjectLock(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return false
	}
	message := api.ErrorMessage()
	return strings.Contains(message, "object lock") || strings.Contains(message, "WORM protected")
}
