package store

import (
	"errors"
	"io"
	"net/http"
	"testing"
)

func TestS3DeleteVersionSends(t *testing.T) {
	status := 204
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "DELETE" || r.URL.Path != "/b/dir/a" || r.URL.Query().Get("versionId") != "v+1" || r.Header.Get("If-Match") != "" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		w.WriteHeader(status)
		if status == 404 {
			io.WriteString(w, `<Error><Code>NoSuchVersion</Code></Error>`)
		}
	})
	for status = range map[int]bool{204: true, 404: true} {
		if err := b.DeleteVersion(t.Context(), "dir/a", "v+1"); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
	status = 403
	if err := b.DeleteVersion(t.Context(), "dir/a", "v+1"); !errors.Is(err, ErrAccessDenied) && !errors.Is(err, ErrRefused) {
		t.Errorf("%d: %v", status, err)
	}
}

// The server's name is that of its latest answer, which a refusal is too.
func TestS3Server(t *testing.T) {
	name := "one"
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		if name != "" {
			w.Header().Set("Server", name)
		}
		w.WriteHeader(404)
	})
	if got := b.Server(); got != "" {
		t.Errorf("before any answer: %q", got)
	}
	for _, name = range []string{"one", "two/2.0", ""} {
		if err := b.HeadBucket(t.Context()); !errors.Is(err, ErrNoBucket) {
			t.Error(err)
		}
		if got := b.Server(); got != name {
			t.Errorf("%q, want %q", got, name)
		}
	}
}
