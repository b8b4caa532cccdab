package store

import (
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// s3At dials the bucket "b" of a server at that address.
func s3At(t *testing.T, endpoint string) *s3Bucket {
	t.Helper()
	api, err := DialS3(t.Context(), S3Config{Bucket: "b", Region: "eu-central-1", Endpoint: endpoint, PathStyle: true,
		AccessKey: "AKIDEXAMPLE", SecretKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return api.(*s3Bucket)
}

// s3Serve dials the bucket "b" of a server that answers by h.
func s3Serve(t *testing.T, h http.HandlerFunc) *s3Bucket {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return s3At(t, server.URL)
}

// s3Zeros is a body of any size. Where it is cut Read fails with errS3BodyGone.
type s3Zeros struct{ size, cut, pos int64 }

var errS3BodyGone = errors.New("the body is gone")

func (z *s3Zeros) Read(p []byte) (int, error) {
	if z.cut > 0 && z.pos == z.cut {
		return 0, errS3BodyGone
	}
	end := z.size
	if z.cut > 0 {
		end = z.cut
	}
	n := min(int64(len(p)), end-z.pos)
	if n == 0 {
		return 0, io.EOF
	}
	clear(p[:n])
	z.pos += n
	return int(n), nil
}

func (z *s3Zeros) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekStart {
		return 0, errors.ErrUnsupported
	}
	z.pos = offset
	return offset, nil
}

func s3WantFate(t *testing.T, err error, fate Fate, is error) {
	t.Helper()
	a, ok := errors.AsType[*AttemptError](err)
	switch {
	case !ok:
		t.Errorf("error %v is no AttemptError", err)
	case a.Fate != fate:
		t.Errorf("fate %v, want %v: %v", a.Fate, fate, err)
	case is != nil && !errors.Is(err, is):
		t.Errorf("error %v is not %v", err, is)
	}
}

func TestS3OverTLSWithOwnCA(t *testing.T) {
	var proto string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { proto = r.Proto }))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(bundle, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	if err := s3At(t, server.URL).HeadBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	if proto != "HTTP/1.1" {
		t.Errorf("the request came by %s", proto)
	}
}

func TestS3WithoutCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	b, err := DialS3(t.Context(), S3Config{Bucket: "b", Region: "eu-central-1"})
	if err != nil {
		t.Fatal(err)
	}
	// They may be had later, and are looked for by each request.
	s3WantFate(t, b.Delete(t.Context(), DeleteRequest{Key: "k"}), Refused, ErrNoCredentials)
}

func TestS3HopelessConfiguration(t *testing.T) {
	b, err := DialS3(t.Context(), S3Config{Bucket: "b", Region: "not a region", AccessKey: "a", SecretKey: "s"})
	if err != nil {
		t.Fatal(err)
	}
	s3WantFate(t, b.HeadBucket(t.Context()), Refused, ErrRefused)
}

func TestS3SkewedClock(t *testing.T) {
	server := time.Now().Add(time.Hour)
	var signed []time.Time
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil {
			t.Error(err)
		}
		signed = append(signed, at)
		w.Header().Set("Date", server.UTC().Format(http.TimeFormat))
		if server.Sub(at) > 15*time.Minute {
			w.WriteHeader(http.StatusForbidden) // the code of a HEAD's answer is lost
		}
	})
	s3WantFate(t, b.HeadBucket(t.Context()), Unsent, nil)
	if err := b.HeadBucket(t.Context()); err != nil {
		t.Errorf("after the server's date was seen: %v (signed at %v, server %v)", err, signed, server)
	}
}

// s3TCP dials the bucket "b" of a server that treats every connection by f.
func s3TCP(t *testing.T, f func(net.Conn)) *s3Bucket {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return s3At(t, "http://"+l.Addr().String())
}

func s3ErrorXML(code string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>` + code + `</Code><Message>m</Message></Error>`
}

func s3Lines(s ...string) string { return strings.Join(s, "\r\n") }
