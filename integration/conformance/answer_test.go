package conformance

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

var requestIDs = regexp.MustCompile(`(RequestID: [^,]*, )(HostID: [^,]*, )?`)

// short is s without request ids, on one line, and not too long.
func short(s string) string {
	s = requestIDs.ReplaceAllString(s, "")
	s = strings.ReplaceAll(s, "\n", "\\n")
	if len(s) > 330 {
		s = s[:330] + "..."
	}
	return s
}

// code gives "status/Code" of an error of the SDK, "ok" for nil.
func code(err error) string {
	if err == nil {
		return "ok"
	}
	var api smithy.APIError
	st := 0
	var re *smithyhttp.ResponseError
	if errors.As(err, &re) {
		st = re.HTTPStatusCode()
	}
	if errors.As(err, &api) {
		return fmt.Sprintf("%d/%s", st, api.ErrorCode())
	}
	if st == 0 {
		return short(err.Error())
	}
	return fmt.Sprintf("%d/?", st)
}

// status gives the HTTP status of an error of the SDK, 200 for nil.
func status(err error) int {
	if err == nil {
		return 200
	}
	var re *smithyhttp.ResponseError
	if errors.As(err, &re) {
		return re.HTTPStatusCode()
	}
	return 0
}

// want checks that the status of err is one of those given.
func want(what string, err error, statuses ...int) error {
	g := status(err)
	for _, s := range statuses {
		if g == s {
			return nil
		}
	}
	return fmt.Errorf("%s: got %s, want %v", what, code(err), statuses)
}

// refused is whether err is a refusal because of an object lock: 403 AccessDenied with
// AWS, 400 with some others.
func refused(err error) bool { return status(err) == 403 || status(err) == 400 }

func wantRefused(what string, err error) error {
	if refused(err) {
		return nil
	}
	return fmt.Errorf("%s: got %s, want a refusal", what, code(err))
}

// first gives the first error that is one.
func first(errs ...error) error {
	for _, e := range errs {
		if e != nil {
			return e
		}
	}
	return nil
}

// xmlCode gives the error code in an XML answer.
func xmlCode(s string) string {
	i := strings.Index(s, "<Code>")
	j := strings.Index(s, "</Code>")
	if i >= 0 && j > i {
		return s[i+6 : j]
	}
	return ""
}
