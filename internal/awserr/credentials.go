package awserr

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Expired tells whether the answer says that the credentials have expired.
func Expired(err error) bool {
	switch Code(err) {
	case "ExpiredToken", "TokenRefreshRequired", // S3
		"ExpiredTokenException": // DynamoDB, STS
		return true
	}
	return false
}

// InvalidCredentials tells whether the answer says that the credentials themselves are not valid, or not any
// more, whatever they may do: others would help.
func InvalidCredentials(err error) bool {
	switch Code(err) {
	case "InvalidAccessKeyId", "InvalidToken", "InvalidTokenId", // S3, the last one MinIO
		"UnrecognizedClientException", "InvalidClientTokenId", // DynamoDB
		"XAdminUserNotFound": // versitygw
		return true
	}
	return Expired(err)
}

// Signer gives the access key and the session token that the request was signed with, as far as it
// had them.
func Signer(err error) (key, token string) {
	r := response(err)
	if r == nil || r.Request == nil {
		return "", ""
	}
	h := r.Request.Header
	_, credential, _ := strings.Cut(h.Get("Authorization"), "Credential=")
	key, _, _ = strings.Cut(credential, "/")
	return key, h.Get("X-Amz-Security-Token")
}

// Passing tells whether what looks for credentials failed for a reason that may pass by itself: it
// asks a service, which did not answer.
func Passing(err error) bool {
	if _, ok := errors.AsType[*net.OpError](err); ok { // not net.Error, which every syscall.Errno is
		return true
	}
	_, unsent := errors.AsType[*smithyhttp.RequestSendError](err)
	status := Status(err)
	return unsent || status >= 500 || status == http.StatusTooManyRequests ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
