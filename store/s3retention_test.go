package store

import (
	"errors"
	"io"
	"net/http"
	"testing"
)

// The default retention rule is told where there is one; a server without Object Lock has none.
func TestS3DefaultRetention(t *testing.T) {
	const lock = `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>`
	for _, c := range []struct {
		status int
		body   string
		want   bool
		err    error
	}{
		{200, lock + `<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>`, true, nil},
		{200, lock + `</ObjectLockConfiguration>`, false, nil},
		{404, `<Error><Code>ObjectLockConfigurationNotFoundError</Code></Error>`, false, nil},
		{501, `<Error><Code>NotImplemented</Code></Error>`, false, nil},
		{405, `<Error><Code>MethodNotAllowed</Code></Error>`, false, nil},
		{403, `<Error><Code>AccessDenied</Code></Error>`, false, ErrAccessDenied},
		{404, `<Error><Code>NoSuchBucket</Code></Error>`, false, ErrNoBucket},
	} {
		b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
			if _, ok := r.URL.Query()["object-lock"]; !ok || r.Method != "GET" {
				t.Errorf("%s %s", r.Method, r.URL)
			}
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		})
		if got, err := b.DefaultRetention(t.Context()); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%d %s: %v, %v", c.status, c.body, got, err)
		}
	}
}

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
