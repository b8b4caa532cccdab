package awserr

import (
	"errors"

	"github.com/aws/smithy-go"
)

// Code returns the code of the error that the service answered with; "" if err is not an
// answer of the service (the transport failed, or the deadline passed).
func Code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// Denied tells whether the answer says that the caller may not do this: see denied. It does
// not say so to a request with a wrong date, which the SDK corrects by the date of the answer.
func Denied(err error) bool {
	code := Code(err)
	switch code {
	case "Forbidden", "InvalidSignatureException": // S3's to a HEAD, DynamoDB's
		return !skewed(err)
	}
	return denied(code)
}

// denied tells whether the code says that the caller may not do this: its credentials
// are wrong, or lack a right. InvalidCredentials are not meant; others are looked for.
func denied(code string) bool {
	switch code {
	case "AccessDenied", "AccessDeniedException", "Forbidden", "SignatureDoesNotMatch", "MissingAuthenticationToken",
		"MissingAuthenticationTokenException", "InvalidSignatureException", "AccountProblem",
		"AllAccessDisabled", "NotSignedUp":
		return true
	}
	return false
}
