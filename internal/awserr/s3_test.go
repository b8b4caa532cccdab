package awserr

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// answered is the SDK's error for an answer.
func answered(status int, code, message string, h http.Header) error {
	request := &http.Request{Header: http.Header{"X-Amz-Date": {"20250102T030405Z"}}}
	return fmt.Errorf("operation error S3: %w", &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: h, Request: request}},
		Err:      &smithy.GenericAPIError{Code: code, Message: message},
	})
}

func TestKindOf(t *testing.T) {
	date := func(s string) http.Header { return http.Header{"Date": {s}} }
	for _, c := range []struct {
		err  error
		want Kind
	}{
		{errors.New("connection reset"), Other},
		{answered(500, "InternalError", "", nil), Other},
		{answered(412, "PreconditionFailed", "", nil), Precondition},
		{answered(500, "PreconditionFailed", "", nil), Precondition}, // inside of a 200
		{answered(304, "NotModified", "", nil), Precondition},
		{answered(304, "", "", nil), Precondition},
		{answered(409, "ConditionalRequestConflict", "", nil), Busy},
		{answered(409, "OperationAborted", "", nil), Other},
		{answered(404, "NoSuchVersion", "", nil), NotFound},
		{answered(404, "NoSuchBucket", "", nil), NoBucket},
		{answered(405, "MethodNotAllowed", "", nil), Unknown},
		{answered(501, "NotImplemented", "", nil), Unknown},
		{answered(501, "", "", nil), Unknown},
		{answered(405, "MethodNotAllowed", "", http.Header{"X-Amz-Delete-Marker": {"true"}}), NotFound},
		{answered(403, "AccessDenied", "Access Denied", nil), AccessDenied},
		{answered(403, "AccessDenied", "Access Denied because object protected by object lock.", nil), Retained},
		{answered(400, "InvalidRequest", "Object is WORM protected and cannot be overwritten", nil), Retained},
		{answered(400, "InvalidRequest", "", nil), Invalid},
		{answered(403, "InvalidObjectState", "", nil), Archived},
		{answered(400, "EntityTooLarge", "", nil), TooLarge},
		{answered(416, "RequestedRangeNotSatisfiable", "", nil), BadRange},
		{answered(503, "SlowDown", "", nil), Again},
		{answered(400, "ExpiredToken", "", nil), Credentials},
		{answered(403, "InvalidAccessKeyId", "", nil), Credentials},
		{answered(503, "ServiceUnavailable", "", nil), Other},
		{answered(403, "Forbidden", "", nil), AccessDenied},
		{answered(403, "Forbidden", "", date("Thu, 02 Jan 2025 03:05:05 GMT")), AccessDenied},
		{answered(403, "Forbidden", "", date("Thu, 02 Jan 2025 03:24:05 GMT")), Again},
		{answered(403, "Forbidden", "", date("Thu, 02 Jan 2025 02:44:05 GMT")), Again},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("%v: kind %d, want %d", c.err, got, c.want)
		}
	}
}

// Credentials that are not valid are told from those that lack a right.
func TestInvalidCredentials(t *testing.T) {
	for code, want := range map[string]bool{
		"ExpiredToken": true, "ExpiredTokenException": true, "UnrecognizedClientException": true, "InvalidToken": true,
		"AccessDenied": false, "AccessDeniedException": false, "SignatureDoesNotMatch": false, "": false,
	} {
		err := answered(400, code, "", nil)
		if got := InvalidCredentials(err); got != want {
			t.Errorf("%q: %v", code, got)
		}
		if Denied(err) && want {
			t.Errorf("%q: the caller is denied, and its credentials are not valid", code)
		}
	}
	request := &http.Request{Header: http.Header{
		"Authorization":        {"AWS4-HMAC-SHA256 Credential=AKID/20250102/r/s3/aws4_request, SignedHeaders=host"},
		"X-Amz-Security-Token": {"token"},
	}}
	if key, token := Signer(&smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{Request: request}}}); key != "AKID" || token != "token" {
		t.Errorf("signed with %q, %q", key, token)
	}
}

// A request with a wrong date says nothing of the rights of its author.
func TestDenied(t *testing.T) {
	date := http.Header{"Date": {"Thu, 02 Jan 2025 04:04:05 GMT"}}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{answered(400, "InvalidSignatureException", "", nil), true},
		{answered(400, "InvalidSignatureException", "", date), false},
		{answered(400, "AccessDeniedException", "", date), true},
		{answered(400, "ProvisionedThroughputExceededException", "", nil), false},
	} {
		if got := Denied(c.err); got != c.want {
			t.Errorf("%v: denied %v", c.err, got)
		}
	}
}

func TestSent(t *testing.T) {
	if Sent(errors.New("endpoint rule error")) {
		t.Error("an error without request or response counts as sent")
	}
	for _, err := range []error{answered(500, "", "", nil), &smithyhttp.RequestSendError{Err: errors.New("refused")}} {
		if !Sent(fmt.Errorf("operation error: %w", err)) {
			t.Errorf("%v does not count as sent", err)
		}
	}
}
