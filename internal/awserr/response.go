package awserr

import (
	"context"
	"errors"
	"net/http"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// maxSkew is by how much a request's date may differ from the server's clock; S3 refuses
// from 15 minutes on.
const maxSkew = 14 * time.Minute

func response(err error) *http.Response {
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && r.Response != nil {
		return r.Response.Response
	}
	return nil
}

func header(err error) http.Header {
	if r := response(err); r != nil {
		return r.Header
	}
	return nil
}

// Context returns the context that the request had.
func Context(err error) context.Context {
	if r := response(err); r != nil && r.Request != nil {
		return r.Request.Context()
	}
	return context.Background()
}

// Status returns the HTTP status of the answer, 0 if there was none. Where an error came
// inside of a 200 it is 500, which is what the SDK makes of it.
func Status(err error) int {
	if r := response(err); r != nil {
		return r.StatusCode
	}
	return 0
}

// Sent tells whether the request was handed to the HTTP client at all. Before that it
// can fail because it is wrong in itself, or for lack of credentials.
func Sent(err error) bool {
	_, failed := errors.AsType[*smithyhttp.RequestSendError](err)
	return failed || response(err) != nil
}

// Region returns the region that the server names as the bucket's own, "" if it names none.
func Region(err error) string { return header(err).Get("X-Amz-Bucket-Region") }

// skewed tells whether the request was signed with a date too far from the server's.
// The answer to a HEAD has no body with the code RequestTimeTooSkewed.
func skewed(err error) bool {
	r := response(err)
	if r == nil || r.Request == nil {
		return false
	}
	signed, err := time.Parse("20060102T150405Z", r.Request.Header.Get("X-Amz-Date"))
	if err != nil {
		return false
	}
	now, err := http.ParseTime(r.Header.Get("Date"))
	return err == nil && now.Sub(signed).Abs() > maxSkew
}
