package store

import (
	"io"
	"net/http"
	"testing"
	"time"
)

// A list of uploads is read with what a server may leave out; one that cannot be right is an error.
func TestS3ListUploads(t *testing.T) {
	var body string
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); r.Method != "GET" || !q.Has("uploads") || q.Get("prefix") != "p/" || q.Get("key-marker") != "k" || q.Get("upload-id-marker") != "u" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		io.WriteString(w, body)
	})
	o := UploadOptions{Prefix: "p/", KeyMarker: "k", UploadMarker: "u"}
	entry := func(more string) string {
		return "<Upload><Key>p%2Fa%01</Key><UploadId>1</UploadId><Initiated>2026-11-27T10:00:00.123Z</Initiated>" + more + "</Upload>"
	}
	list := func(inner string) string {
		return "<ListMultipartUploadsResult><EncodingType>url</EncodingType>" + inner + "</ListMultipartUploadsResult>"
	}
	want := Upload{Key: "p/a\x01", ID: "1", Begun: time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)}
	for _, more := range []string{"", "<ChecksumAlgorithm>CRC32C</ChecksumAlgorithm>", "<ChecksumAlgorithm>CRC32C</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType>"} {
		body = list(entry(more) + "<IsTruncated>true</IsTruncated><NextKeyMarker>p%2Fb</NextKeyMarker><NextUploadIdMarker>2</NextUploadIdMarker>")
		page, err := b.ListUploads(t.Context(), o)
		want.AsOurs = len(more) > 60
		if err != nil || len(page.Uploads) != 1 || page.Uploads[0] != want || page.NextKey != "p/b" || page.NextUpload != "2" {
			t.Errorf("%s: %+v, %v", more, page, err)
		}
	}
	const cut = "<IsTruncated>true</IsTruncated>"
	for _, body = range []string{list(cut), list(cut + "<NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>"),
		list("<Upload><Key>a</Key></Upload>"), list("<Upload><Key>%zz</Key></Upload>"), "<html>welcome</html>"} {
		if page, err := b.ListUploads(t.Context(), o); err == nil {
			t.Errorf("%s: %+v", body, page)
		}
	}
}

// The skew is that of the latest answer, also of one that refuses, and unknown without its date.
func TestS3Skew(t *testing.T) {
	date := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		if date != "" {
			w.Header().Set("Date", date)
		}
		w.WriteHeader(http.StatusForbidden)
	})
	if d, ok := b.Skew(); ok {
		t.Errorf("before any answer: %s", d)
	}
	b.HeadBucket(t.Context())
	if d, ok := b.Skew(); !ok || d < 59*time.Minute || d > time.Hour {
		t.Errorf("%s, %v", d, ok)
	}
	for _, date = range []string{"", "soon"} {
		b.HeadBucket(t.Context())
		if d, ok := b.Skew(); ok {
			t.Errorf("of %q: %s", date, d)
		}
	}
}
