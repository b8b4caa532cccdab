package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/latchfs/latchfs/internal/awsclient"
	"github.com/latchfs/latchfs/internal/awserr"
)

// An s3Attempt watches one request, so that its failure can be given a fate.
type s3Attempt struct {
	bucket  *s3Bucket
	op, key string
	// safe: the request changes nothing, and may be sent again whatever became of it.
	safe bool
	// body, if not nil, has at least one byte, without the last of which the request
	// has no effect.
	body *s3Body
	// connected: there was a connection. One that was used to fetch credentials counts
	// too, which is a mistake on the safe side.
	connected atomic.Bool
}

// read begins an attempt that changes nothing.
func (b *s3Bucket) read(ctx context.Context, op, key string) (context.Context, *s3Attempt) {
	return b.begin(ctx, &s3Attempt{op: op, key: key, safe: true})
}

// change begins an attempt without a body that changes the bucket.
func (b *s3Bucket) change(ctx context.Context, op, key string) (context.Context, *s3Attempt) {
	return b.begin(ctx, &s3Attempt{op: op, key: key})
}

// upload begins an attempt with a body of size bytes. The body to send is nil if it is empty.
func (b *s3Bucket) upload(ctx context.Context, op, key string, body io.ReadSeeker, size int64) (context.Context, *s3Attempt, io.Reader) {
	a := &s3Attempt{op: op, key: key}
	var send io.Reader
	if size > 0 {
		a.body = newS3Body(body, size)
		send = a.body
	}
	ctx, a = b.begin(ctx, a)
	return ctx, a, send
}

func (b *s3Bucket) begin(ctx context.Context, a *s3Attempt) (context.Context, *s3Attempt) {
	a.bucket = b
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { a.connected.Store(true) },
	}), a
}

// refusals are the kinds of answers that are final, and what callers know them by.
var refusals = map[awserr.Kind]error{
	awserr.Precondition: ErrPrecondition,
	awserr.Busy:         ErrBusy,
	awserr.NotFound:     ErrNotFound,
	awserr.NoBucket:     ErrNoBucket,
	awserr.AccessDenied: ErrAccessDenied,
	awserr.Retained:     ErrRetained,
	awserr.Archived:     ErrArchived,
	awserr.TooLarge:     ErrTooLarge,
	awserr.BadRange:     ErrBadRange,
	awserr.Invalid:      ErrRefused,
	awserr.Unknown:      ErrNotImplemented,
}

// fail ends the attempt with an error of the SDK. No byte of the body is handed out any
// more.
func (a *s3Attempt) fail(ctx context.Context, err error) *AttemptError {
	whole, readErr := a.body.stop()
	e := &AttemptError{Op: a.op, Key: a.key, Code: awserr.Code(err)}
	kind, status := awserr.KindOf(err), awserr.Status(err)
	refusal := refusals[kind]
	if kind == awserr.Credentials {
		if none := a.bucket.credentials.Renew(err); none != nil {
			err = none
		}
	}
	_, none := errors.AsType[*awsclient.CredentialsError](err)
	switch {
	case none:
		e.Fate, refusal = Refused, ErrNoCredentials
	case kind == awserr.Credentials:
		e.Fate = Unsent // others were found
	case refusal != nil:
		e.Fate = Refused
	case kind == awserr.Again:
		e.Fate = Unsent
	case status >= 300 && status < 500:
		e.Fate, refusal = Refused, ErrRefused
		if region := awserr.Region(err); region != "" && region != a.bucket.region {
			refusal = fmt.Errorf("the bucket is in region %s, not %s: %w", region, a.bucket.region, ErrRefused)
		}
	case a.hopeless(ctx, err):
		e.Fate, refusal = Refused, ErrRefused
	case a.safe || !whole || !a.connected.Load():
		e.Fate = Unsent
	default:
		e.Fate = Unknown
	}
	causes := []error{refusal}
	if refusal == nil {
		// What the HTTP client and the SDK say of a deadline, or of a body that could not
		// be read, does not always wrap the reason.
		causes = []error{readErr, context.Cause(ctx)}
	}
	for _, cause := range causes {
		if cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
	}
	e.Err = err
	return e
}

// failHead is fail for a HEAD. An answer without a body cannot say why it is 400, which is that of
// credentials that have expired, too: the answer to a request that has one says so.
func (a *s3Attempt) failHead(ctx context.Context, err error) *AttemptError {
	if awserr.Status(err) != http.StatusBadRequest {
		return a.fail(ctx, err)
	}
	b := a.bucket
	_, why := b.meta.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &b.name, MaxKeys: aws.Int32(1)})
	if awserr.Status(why) == http.StatusBadRequest {
		return a.fail(ctx, why)
	}
	e := a.fail(ctx, err)
	if b.credentials.Replaced(err) { // by others, before the second request was signed
		e.Fate, e.Err = Unsent, err
	}
	return e
}

// hopeless tells whether the SDK never got as far as sending the request, for a reason
// that lies in the request or the configuration.
func (a *s3Attempt) hopeless(ctx context.Context, err error) bool {
	_, credentials := errors.AsType[*credentialsError](err)
	return !a.connected.Load() && !awserr.Sent(err) && !credentials && ctx.Err() == nil
}

// garbled ends an attempt that the server answered with success, but not in a way that
// can be used.
func (a *s3Attempt) garbled(format string, args ...any) *AttemptError {
	e := &AttemptError{Op: a.op, Key: a.key, Fate: Unknown, Err: fmt.Errorf(format, args...)}
	if a.safe {
		// Asked again, the server would say the same.
		e.Fate, e.Err = Refused, fmt.Errorf("%w: %w", ErrRefused, e.Err)
	}
	return e
}
