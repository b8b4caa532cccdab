package store

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The operations by what a failure on the way means for them.
var (
	s3Small = func(ctx context.Context, b API) error { // with a body that fits into any buffer
		_, err := b.Put(ctx, PutRequest{Key: "k", Body: &s3Zeros{size: 10}, Size: 10})
		return err
	}
	s3Huge = func(ctx context.Context, b API) error { // with one that fits into none
		_, err := b.Put(ctx, PutRequest{Key: "k", Body: &s3Zeros{size: 1 << 30}, Size: 1 << 30})
		return err
	}
	s3Cut = func(ctx context.Context, b API) error {
		_, err := b.UploadPart(ctx, PartRequest{Key: "k", Upload: "u", Number: 1, Body: &s3Zeros{size: 100_000, cut: 99_999}, Size: 100_000})
		return err
	}
	s3Short = func(ctx context.Context, b API) error {
		_, err := b.Put(ctx, PutRequest{Key: "k", Body: strings.NewReader("123"), Size: 4})
		return err
	}
	s3Empty = func(ctx context.Context, b API) error {
		_, err := b.Put(ctx, PutRequest{Key: "k"})
		return err
	}
	s3Delete   = func(ctx context.Context, b API) error { return b.Delete(ctx, DeleteRequest{Key: "k", IfMatch: "e"}) }
	s3Complete = func(ctx context.Context, b API) error {
		_, err := b.CompleteUpload(ctx, CompleteRequest{Key: "k", Upload: "u", Parts: []Part{{Number: 1, ETag: "e"}}})
		return err
	}
	s3Copy = func(ctx context.Context, b API) error {
		_, err := b.Copy(ctx, CopyRequest{Key: "k", Source: "s"})
		return err
	}
	s3Head = func(ctx context.Context, b API) error {
		_, err := b.Head(ctx, HeadRequest{Key: "k"})
		return err
	}
	s3List = func(ctx context.Context, b API) error {
		_, err := b.List(ctx, ListOptions{})
		return err
	}
)

// s3ReadRequest reads a request with its body.
func s3ReadRequest(c net.Conn) {
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err == nil {
		io.Copy(io.Discard, r.Body)
	}
}

// s3Reset closes a connection so that the other side gets a reset.
func s3Reset(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

func TestS3FateOfLostRequests(t *testing.T) {
	noAnswer := func(c net.Conn) { s3ReadRequest(c); s3Reset(c) }
	never := func(c net.Conn) { s3ReadRequest(c); io.Copy(io.Discard, c) } // until the client hangs up
	answer := func(s string) func(net.Conn) {
		return func(c net.Conn) { s3ReadRequest(c); io.WriteString(c, s) }
	}
	half := answer(s3Lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "", "10", "<Complete"))
	garbage := answer(s3Lines("HTTP/1.1 502 Bad Gateway", "Content-Length: 14", "", "<html><hr>oops"))
	for _, c := range []struct {
		name   string
		server func(net.Conn)
		do     func(context.Context, API) error
		fate   Fate
		is     error
	}{
		{"put, reset before the body", s3Reset, s3Huge, Unsent, nil},
		{"put, reset after the body", noAnswer, s3Small, Unknown, nil},
		{"empty put, reset", noAnswer, s3Empty, Unknown, nil},
		{"delete, reset", noAnswer, s3Delete, Unknown, nil},
		{"copy, reset", noAnswer, s3Copy, Unknown, nil},
		{"head, reset", noAnswer, s3Head, Unsent, nil},
		{"put, no answer", never, s3Small, Unknown, context.DeadlineExceeded},
		{"complete, no answer", never, s3Complete, Unknown, context.DeadlineExceeded},
		{"list, no answer", never, s3List, Unsent, context.DeadlineExceeded},
		{"put, the body cannot be read", never, s3Cut, Unsent, errS3BodyGone},
		{"put, the body is short", never, s3Short, Unsent, io.ErrUnexpectedEOF},
		{"complete, half an answer", half, s3Complete, Unknown, nil},
		{"copy, half an answer", half, s3Copy, Unknown, nil},
		{"list, half an answer", half, s3List, Unsent, nil},
		{"put, an answer by something else", garbage, s3Small, Unknown, nil},
		{"list, an answer by something else", garbage, s3List, Unsent, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := s3TCP(t, c.server)
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			err := c.do(ctx, b)
			s3WantFate(t, err, c.fate, c.is)
		})
	}
}

func TestS3FateWithoutConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	b := s3At(t, "http://"+l.Addr().String())
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, do := range map[string]func(context.Context, API) error{
		"put": s3Small, "empty put": s3Empty, "delete": s3Delete, "copy": s3Copy, "head": s3Head,
	} {
		t.Run(name, func(t *testing.T) {
			s3WantFate(t, do(t.Context(), b), Unsent, nil)
			s3WantFate(t, do(cancelled, b), Unsent, context.Canceled)
		})
	}
}

func TestS3FateOfAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string // "" for an answer without a body
		do     func(context.Context, API) error
		fate   Fate
		is     error
	}{
		{412, "PreconditionFailed", s3Small, Refused, ErrPrecondition},
		{412, "", s3Head, Refused, ErrPrecondition},
		{304, "", s3Complete, Refused, ErrPrecondition},
		{304, "", s3Small, Refused, ErrPrecondition},
		{409, "ConditionalRequestConflict", s3Small, Refused, ErrBusy},
		{409, "OperationAborted", s3Small, Refused, ErrRefused},
		{409, "", s3Delete, Refused, ErrRefused},
		{404, "NoSuchKey", s3Small, Refused, ErrNotFound},
		{404, "NoSuchUpload", s3Complete, Refused, ErrNotFound},
		{404, "NoSuchBucket", s3Small, Refused, ErrNoBucket},
		{404, "", s3Head, Refused, ErrNotFound},
		{404, "XAdminUserNotFound", s3List, Refused, ErrNoCredentials},
		{403, "AccessDenied", s3Copy, Refused, ErrAccessDenied},
		{403, "InvalidObjectState", s3Copy, Refused, ErrArchived},
		{403, "", s3Head, Refused, ErrAccessDenied},
		{400, "EntityTooLarge", s3Small, Refused, ErrTooLarge},
		{400, "KeyTooLongError", s3Small, Refused, ErrRefused},
		{400, "", s3Head, Refused, ErrRefused},
		{416, "InvalidRange", s3Head, Refused, ErrBadRange},
		{501, "NotImplemented", s3Small, Refused, ErrRefused},
		{503, "SlowDown", s3Small, Unsent, nil},
		{503, "ServiceUnavailable", s3Small, Unknown, nil},
		{503, "ServiceUnavailable", s3List, Unsent, nil},
		{400, "RequestTimeout", s3Small, Unsent, nil},
		{400, "BadDigest", s3Small, Unsent, nil},
		{400, "IncompleteBody", s3Small, Unsent, nil},
		{400, "ExpiredToken", s3Delete, Refused, ErrNoCredentials},
		{400, "ExpiredToken", s3Head, Refused, ErrNoCredentials},
		{403, "RequestTimeTooSkewed", s3Delete, Unsent, nil},
		{307, "TemporaryRedirect", s3Delete, Unsent, nil},
		{301, "PermanentRedirect", s3Delete, Refused, ErrRefused},
		{500, "InternalError", s3Small, Unknown, nil},
		{500, "InternalError", s3Delete, Unknown, nil},
		{500, "InternalError", s3Head, Unsent, nil},
		{500, "InternalError", s3Huge, Unsent, nil}, // the server does not wait for the body
		{504, "", s3Delete, Unknown, nil},
		{200, "InternalError", s3Complete, Unknown, nil},
		{200, "InternalError", s3Copy, Unknown, nil},
		{200, "PreconditionFailed", s3Complete, Refused, ErrPrecondition},
		{200, "ConditionalRequestConflict", s3Complete, Refused, ErrBusy},
		{200, "SlowDown", s3Copy, Unsent, nil},
		{200, "", s3Complete, Unknown, nil},
		{200, "", s3Copy, Unknown, nil},
		{200, "", s3Small, Unknown, nil}, // no ETag
	} {
		t.Run(http.StatusText(c.status)+" "+c.code, func(t *testing.T) {
			var requests atomic.Int32
			var head atomic.Bool
			b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				if r.Method == http.MethodHead {
					head.Store(true)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				if c.code != "" {
					io.WriteString(w, s3ErrorXML(c.code))
				}
			})
			s3WantFate(t, c.do(t.Context(), b), c.fate, c.is)
			want := int32(1)
			if c.status == 400 && head.Load() {
				want = 2 // the other one asks why
			}
			if n := requests.Load(); n != want {
				t.Errorf("%d requests for one attempt", n)
			}
		})
	}
}

func TestS3WrongRegionIsNamed(t *testing.T) {
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Bucket-Region", "ap-south-2")
		w.WriteHeader(http.StatusMovedPermanently)
	})
	err := b.HeadBucket(t.Context())
	s3WantFate(t, err, Refused, ErrRefused)
	if !strings.Contains(err.Error(), "ap-south-2") {
		t.Errorf("%v does not name the region", err)
	}
}

func TestS3DeleteMarkerIsNotFound(t *testing.T) {
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("versionId") == "marker" {
			w.Header().Set("X-Amz-Delete-Marker", "true")
		}
		w.WriteHeader(http.StatusMethodNotAllowed)
	})
	_, err := b.Head(t.Context(), HeadRequest{Key: "k", Version: "marker"})
	s3WantFate(t, err, Refused, ErrNotFound)
	_, err = b.Get(t.Context(), GetRequest{Key: "k", Version: "marker"})
	s3WantFate(t, err, Refused, ErrNotFound)
	_, err = b.Get(t.Context(), GetRequest{Key: "k", Version: "other"})
	s3WantFate(t, err, Refused, ErrRefused)
}

func TestS3BucketNotThere(t *testing.T) {
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotFound) })
	s3WantFate(t, b.HeadBucket(t.Context()), Refused, ErrNoBucket)
}

// After its end an attempt hands out nothing more, though net/http may go on writing.
func TestS3BodyStops(t *testing.T) {
	b := newS3Body(strings.NewReader("0123456789"), 10)
	p := make([]byte, 9)
	if n, err := b.Read(p); n != 9 || err != nil {
		t.Fatal(n, err)
	}
	if whole, err := b.stop(); whole || err != nil {
		t.Errorf("whole %v, %v with a byte left", whole, err)
	}
	if n, err := b.Read(p); n != 0 || err == nil {
		t.Errorf("%d bytes, %v after the end", n, err)
	}

	b = newS3Body(strings.NewReader("0123456789"), 10)
	io.Copy(io.Discard, b)
	b.Seek(0, io.SeekStart)
	if whole, _ := b.stop(); !whole {
		t.Error("a seek took back what was sent")
	}
}
