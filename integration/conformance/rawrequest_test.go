package conformance

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/middleware"
)

// presignDo sends a presigned request by hand. An extra header with no value takes a
// signed one away.
func presignDo(ctx context.Context, method, url string, signed http.Header, body io.Reader, size int64, extra map[string]string) (int, string, http.Header, error) {
	rq, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return 0, "", nil, err
	}
	for k, v := range signed {
		if strings.EqualFold(k, "host") {
			continue
		}
		rq.Header[http.CanonicalHeaderKey(k)] = v
	}
	for k, v := range extra {
		if v == "" {
			rq.Header.Del(k)
		} else {
			rq.Header.Set(k, v)
		}
	}
	if size >= 0 {
		rq.ContentLength = size
	}
	rs, err := http.DefaultClient.Do(rq)
	if err != nil {
		return 0, "", nil, err
	}
	defer rs.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(rs.Body, 4<<20))
	return rs.StatusCode, string(b), rs.Header, nil
}

func swapUnsigned(s *middleware.Stack) error {
	return v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware(s)
}

type cutConn struct {
	net.Conn
	left int
}

func (c *cutConn) Write(b []byte) (int, error) {
	if len(b) > c.left {
		n, _ := c.Conn.Write(b[:c.left])
		time.Sleep(100 * time.Millisecond)
		c.Conn.Close()
		c.left = 0
		return n, io.ErrClosedPipe
	}
	n, err := c.Conn.Write(b)
	c.left -= n
	return n, err
}

// cutDial dials connections that die after n bytes were written.
func cutDial(n int) func(ctx context.Context, nw, addr string) (net.Conn, error) {
	return func(ctx context.Context, nw, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, nw, addr)
		if err != nil {
			return nil, err
		}
		return &cutConn{c, n}, nil
	}
}
