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

// s3Tokens dials the bucket "b" of a server that says of each token but one that it has expired, with
// credentials of a file. It gives a function that writes a token there, and the number of requests
// so far.
func s3Tokens(t *testing.T, valid string) (b *s3Bucket, write func(token string), requests *atomic.Int32) {
	home := t.TempDir()
	file := filepath.Join(home, "credentials")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_SHARED_CREDENTIALS_FILE": file, "AWS_CONFIG_FILE": filepath.Join(home, "config"),
	} {
		t.Setenv(name, value)
	}
	write = func(token string) {
		text := fmt.Sprintf("[default]\naws_access_key_id = A\naws_secret_access_key = s\naws_session_token = %s\n", token)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	requests = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Header.Get("X-Amz-Security-Token") != valid {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, s3ErrorXML("ExpiredToken"))
			return
		}
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Content-Length", "0")
		w.Header().Set("Last-Modified", "Thu, 02 Jan 2025 03:04:05 GMT")
	}))
	t.Cleanup(server.Close)
	write("old")
	api, err := DialS3(t.Context(), S3Config{Bucket: "b", Region: "r", Endpoint: server.URL, PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	return api.(*s3Bucket), write, requests
}

// Whatever the request, also one whose answer has no code, an expired token is told as such, at once,
// with what to do; and the next request has the new one that was put into the file.
func TestS3ExpiredTokenIsRenewed(t *testing.T) {
	for name, do := range map[string]func(context.Context, API) error{
		"head": s3Head, "put": s3Small, "delete": s3Delete,
		"head bucket": func(ctx context.Context, b API) error { return b.HeadBucket(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			b, write, _ := s3Tokens(t, "new")
			err := do(t.Context(), b)
			s3WantFate(t, err, Refused, ErrNoCredentials)
			none, ok := errors.AsType[*awsclient.CredentialsError](err)
			if !ok || !strings.Contains(none.Advice, "expired: put new ones into /") || !errors.Is(err, ErrAccessDenied) || !errors.Is(err, ErrUnavailable) {
				t.Errorf("the error is %v", err)
			}
			b, write, _ = s3Tokens(t, "new")
			write("old")
			if _, err := b.credentials.Retrieve(t.Context()); err != nil {
				t.Fatal(err)
			}
			write("new")
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
	b, write, requests := s3Tokens(t, "new")
	if _, err := b.credentials.Retrieve(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := New(b, Options{})
	write("older")
	_, err := c.Head(t.Context(), "k", "")
	if n := requests.Load(); !errors.Is(err, ErrNoCredentials) || n != 4 {
		t.Errorf("%v after %d requests", err, n)
	}
	b, write, _ = s3Tokens(t, "new")
	if _, err := b.credentials.Retrieve(t.Context()); err != nil {
		t.Fatal(err)
	}
	c = New(b, Options{})
	write("new")
	if _, err := c.Head(t.Context(), "k", ""); err != nil {
		t.Error(err)
	}
}
