package awsclient

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// late sends a body as net/http does when the answer was faster: the SDK has closed it
// before its end is looked for.
type late struct{ t *testing.T }

func (l late) RoundTrip(r *http.Request) (*http.Response, error) {
	sent, err := io.Copy(io.Discard, io.LimitReader(r.Body, r.ContentLength))
	if err != nil || sent != r.ContentLength {
		l.t.Errorf("sent %d of %d bytes: %v", sent, r.ContentLength, err)
	}
	r.Body.Close()
	if n, err := io.Copy(io.Discard, r.Body); n != 0 || err != nil {
		l.t.Errorf("beyond the end: %d bytes, %v", n, err)
	}
	return &http.Response{Body: http.NoBody}, nil
}

// What the SDK makes of a body in memory has a definite end also after it was closed.
func TestBodyEndsAfterClose(t *testing.T) {
	r := smithyhttp.NewStackRequest().(*smithyhttp.Request)
	r.ContentLength = 4
	r, err := r.SetStream(bytes.NewReader([]byte("body")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (plain{late{t}}).RoundTrip(r.Build(t.Context())); err != nil {
		t.Fatal(err)
	}
}
