package awsclient

import (
	"io"
	"net/http"
)

// plain lets net/http send the bodies of SDK requests by Read alone.
//
// The SDK closes a request's body as soon as the answer begins. net/http looks for the end of
// the body after the bytes that it was promised, and if the server was fast that look comes
// after the close. A body with a WriteTo method (every one that is held in memory) answers it
// with io.EOF, which net/http takes for a failure of the body (smithy-go v1.28.8,
// transport/http/internal/io, safeWriteToReadCloser). It then closes the connection under the
// answer: seen once in some ten thousand requests, as an outcome that nobody knows.
type plain struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p plain) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r = r.Clone(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return p.next.RoundTrip(r)
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport.
func (p plain) CloseIdleConnections() {
	if c, ok := p.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
