package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/latchfs/latchfs/internal/awsclient"
)

// An s3Tokens is the bucket "b" of a server that says of each session token but "new" that it has
// expired, reached with credentials of a file, in which "old" was found.
type s3Tokens struct {
	*s3Bucket
	t        *testing.T
	file     string
	requests atomic.Int32
	refusing func() // called before a request is refused; may be nil
}

func newS3Tokens(t *testing.T) *s3Tokens {
	t.Helper()
	home := t.TempDir()
	s := &s3Tokens{t: t, file: filepath.Join(home, "credentials")}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_SHARED_CREDENTIALS_FILE": s.file, "AWS_CONFIG_FILE": filepath.Join(home, "config"),
	} {
		t.Setenv(name, value)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.write("old")
	api, err := DialS3(t.Context(), S3Config{Bucket: "b", Region: "r", Endpoint: server.URL, PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	s.s3Bucket = api.(*s3Bucket)
	if _, err := s.credentials.Retrieve(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// write puts a token into the file.
func (s *s3Tokens) write(token string) {
	text := fmt.Sprintf("[default]\naws_access_key_id = A\naws_secret_access_key = s\naws_session_token = %s\n", token)
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *s3Tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	if r.Header.Get("X-Amz-Security-Token") != "new" {
		if s.refusing != nil {
			s.refusing()
		}
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, s3ErrorXML("ExpiredToken"))
		return
	}
	w.Header().Set("ETag", `"e"`)
	w.Header().Set("Content-Length", "0")
	w.Header().Set("Last-Modified", "Thu, 02 Jan 2025 03:04:05 GMT")
}

// Whatever the request, also one whose answer has no code, an expired token is told as such, at once,
// with what to do; and the next request has the new one that was put into the file.
func TestS3ExpiredTokenIsRenewed(t *testing.T) {
	for name, do := range map[string]func(context.Context, API) error{
		"head": s3Head, "put": s3Small, "delete": s3Delete,
		"head bucket": func(ctx context.Context, b API) error { return b.HeadBucket(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newS3Tokens(t)
			err := do(t.Context(), b)
			s3WantFate(t, err, Refused, ErrNoCredentials)
			none, ok := errors.AsType[*awsclient.CredentialsError](err)
			if !ok || !strings.Contains(none.Advice, "expired: put new ones into "+b.file) || !errors.Is(err, ErrAccessDenied) || !errors.Is(err, ErrUnavailable) {
				t.Errorf("the error is %v", err)
			}
			b = newS3Tokens(t)
			b.write("new")
			s3WantFate(t, do(t.Context(), b), Unsent, nil)
			if err := do(t.Context(), b); err != nil {
				t.Errorf("with the new token: %v", err)
			}
		})
	}
}

// A client that is refused, and whose credentials are renewed, does what it was asked for; if the new
// ones have expired, too, it does not go on.
func TestS3ClientWithExpiredToken(t *testing.T) {
	b := newS3Tokens(t)
	b.write("older")
	_, err := New(b, Options{}).Head(t.Context(), "k", "")
	if n := b.requests.Load(); !errors.Is(err, ErrNoCredentials) || n != 4 { // two HEADs, and why
		t.Errorf("%v after %d requests", err, n)
	}
	b = newS3Tokens(t)
	b.write("new")
	if _, err := New(b, Options{}).Head(t.Context(), "k", ""); err != nil {
		t.Error(err)
	}
}

// A HEAD that was refused with a token that another request has replaced meanwhile is sent again,
// though the request that is to say why it was refused is answered well by then.
func TestS3HeadBesideRenewal(t *testing.T) {
	b := newS3Tokens(t)
	b.refusing = func() {
		b.write("new")
		if err := b.credentials.Reread(t.Context()); err != nil {
			t.Error(err)
		}
	}
	_, err := b.Head(t.Context(), HeadRequest{Key: "k"})
	s3WantFate(t, err, Unsent, nil)
	if _, err := b.Head(t.Context(), HeadRequest{Key: "k"}); err != nil {
		t.Error(err)
	}
}
