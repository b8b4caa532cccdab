package store

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The rules go out as the document that was given, with its checksum, which the service insists on;
// what no type of the SDK knows comes back in the same words.
func TestS3Lifecycle(t *testing.T) {
	const inner = `<ID>a</ID><Filter><Prefix>x&amp;y</Prefix></Filter><Status>Enabled</Status><NextYear a="b"><Deep/></NextYear>`
	var document []byte
	var method, minimum string
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		method = r.Method
		if !r.URL.Query().Has("lifecycle") || r.URL.Path != "/b" && r.URL.Path != "/b/" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		switch r.Method {
		case http.MethodDelete:
			document = nil
			w.WriteHeader(http.StatusNoContent)
		case http.MethodPut:
			document, _ = io.ReadAll(r.Body)
			minimum = r.Header.Get("X-Amz-Transition-Default-Minimum-Object-Size")
			sum := md5.Sum(document)
			crc := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(document))
			if r.Header.Get("Content-Md5") != base64.StdEncoding.EncodeToString(sum[:]) && r.Header.Get("X-Amz-Checksum-Crc32") != base64.StdEncoding.EncodeToString(crc) {
				t.Errorf("no checksum of the document: %v", r.Header)
			}
		case http.MethodGet:
			if document == nil {
				w.WriteHeader(http.StatusNotFound)
				io.WriteString(w, `<Error><Code>NoSuchLifecycleConfiguration</Code></Error>`)
				return
			}
			w.Header().Set("X-Amz-Transition-Default-Minimum-Object-Size", minimum)
			w.Write(document)
		}
	})
	if _, err := b.Lifecycle(t.Context()); codeOf(err) != "NoSuchLifecycleConfiguration" {
		t.Errorf("none: %v", err)
	}
	want := Lifecycle{Rules: []LifecycleRule{{XML: inner}}, MinimumSize: "varies_by_storage_class"}
	if err := b.SetLifecycle(t.Context(), want); err != nil || string(document) != string(want.Document()) || minimum != want.MinimumSize {
		t.Fatalf("%v, sent %s, %q", err, document, minimum)
	}
	got, err := b.Lifecycle(t.Context())
	if err != nil || got.MinimumSize != want.MinimumSize || len(got.Rules) != 1 || got.Rules[0].XML != inner || got.Rules[0].For() != "x&y" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := b.SetLifecycle(t.Context(), Lifecycle{}); err != nil || method != http.MethodDelete {
		t.Errorf("no rules: %s, %v", method, err)
	}
}

// A server without rules, and a page of something in between, are no bucket without rules.
func TestS3LifecycleAnswers(t *testing.T) {
	status, body := 0, ""
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
	for _, c := range []struct {
		status int
		body   string
		want   error
	}{
		{501, `<Error><Code>NotImplemented</Code></Error>`, ErrNotImplemented},
		{403, `<Error><Code>AccessDenied</Code></Error>`, ErrAccessDenied},
		{200, `<html>welcome</html>`, nil},
		{200, `<LifecycleConfiguration><Rule>`, nil},
	} {
		status, body = c.status, c.body
		if l, err := b.Lifecycle(t.Context()); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%d %s: %+v, %v", c.status, c.body, l, err)
		}
	}
}

// Tags are replaced as a whole, and of one version.
func TestS3SetTags(t *testing.T) {
	var method, body string
	var query url.Values
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		method, body, query = r.Method, string(text), r.URL.Query()
	})
	if err := b.SetTags(t.Context(), "dir/a", "v+1", "a%20b=c%26"); err != nil || method != http.MethodPut || query.Get("versionId") != "v+1" ||
		!query.Has("tagging") || !strings.Contains(body, "<Key>a b</Key>") || !strings.Contains(body, "<Value>c&amp;</Value>") {
		t.Errorf("%v: %s %v %s", err, method, query, body)
	}
	if err := b.SetTags(t.Context(), "dir/a", "v+1", ""); err != nil || method != http.MethodDelete || query.Get("versionId") != "v+1" {
		t.Errorf("none: %v, %s %v", err, method, query)
	}
}
