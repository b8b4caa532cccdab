package store

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The server's clock alone tells whether a later version may have the same LastModified.
func TestSettled(t *testing.T) {
	modified := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		etag string
		date string
		want bool
	}{
		{"e", modified.Add(settleTime).Format(http.TimeFormat), true},
		{"e", modified.Add(settleTime - time.Second).Format(http.TimeFormat), false},
		{"e", modified.Add(-time.Hour).Format(http.TimeFormat), false},
		{"e", "", false},
		{"e-2", modified.Add(time.Hour).Format(http.TimeFormat), false},
	} {
		if got := settled(Info{ETag: c.etag, LastModified: modified}, c.date); got != c.want {
			t.Errorf("ETag %s at %q: %v", c.etag, c.date, got)
		}
	}
}

func TestS3HeadReads(t *testing.T) {
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		for name, value := range s3PropsHeaders {
			w.Header().Set(name, value)
		}
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("X-Amz-Version-Id", "v")
		w.Header().Set("X-Amz-Tagging-Count", "3")
		w.Header().Set("Content-Length", "42")
		w.Header().Set("Last-Modified", "Thu, 02 Jan 2025 03:04:05 GMT")
	})
	i, err := b.Head(t.Context(), HeadRequest{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	props := s3Props
	props.TagCount = 3
	want := Info{Key: "k", ETag: "e", VersionID: "v", Size: 42, LastModified: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC), Settled: true, Props: props}
	if !reflect.DeepEqual(i, want) {
		t.Errorf("got\n%+v, want\n%+v", i, want)
	}
}

// s3Digits serves the object "0123456789" by net/http's own idea of ranges.
func s3Digits(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"e"`)
	http.ServeContent(w, r, "", time.Unix(1e9, 0), strings.NewReader("0123456789"))
}

func TestS3GetRanges(t *testing.T) {
	b := s3Serve(t, s3Digits)
	for _, c := range []struct {
		r    *Range
		want string
	}{
		{nil, "0123456789"}, {&Range{0, -1}, "0123456789"}, {&Range{3, 4}, "3456"}, {&Range{8, 100}, "89"}, {&Range{9, -1}, "9"},
	} {
		o, err := b.Get(t.Context(), GetRequest{Key: "k", Range: c.r})
		if err != nil {
			t.Errorf("%+v: %v", c.r, err)
			continue
		}
		got, err := io.ReadAll(o.Body)
		if string(got) != c.want || err != nil || o.Info.Size != 10 || o.Info.ETag != "e" {
			t.Errorf("%+v: %q, %v, %+v", c.r, got, err, o.Info)
		}
		o.Body.Close()
	}
	_, err := b.Get(t.Context(), GetRequest{Key: "k", Range: &Range{10, 1}})
	s3WantFate(t, err, Refused, ErrBadRange)
}

func TestS3GetOfAnotherRange(t *testing.T) {
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		s3Digits(w, r)
	})
	for r, want := range map[Range]string{{0, -1}: "0123456789", {3, 4}: "3456", {8, 100}: "89", {9, -1}: "9"} {
		o, err := New(b, Options{}).Get(t.Context(), "k", GetOptions{Range: &r})
		if err != nil {
			t.Errorf("%+v: %v", r, err)
			continue
		}
		got, err := io.ReadAll(o.Body)
		if string(got) != want || err != nil || o.Info.Size != 10 {
			t.Errorf("%+v: %q, %v, %+v", r, got, err, o.Info)
		}
		o.Body.Close()
	}
	_, err := b.Get(t.Context(), GetRequest{Key: "k", Range: &Range{10, 1}})
	s3WantFate(t, err, Refused, ErrBadRange)
}

// What is neither the range nor the whole is no answer.
func TestS3GetOfWrongRange(t *testing.T) {
	for _, status := range []int{206, 200} {
		b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"e"`)
			w.Header().Set("Last-Modified", "Thu, 02 Jan 2025 03:04:05 GMT")
			w.Header().Set("Content-Range", "bytes 0-3/10")
			w.WriteHeader(status)
			io.WriteString(w, "0123")
		})
		_, err := b.Get(t.Context(), GetRequest{Key: "k", Range: &Range{3, 4}})
		s3WantFate(t, err, Refused, ErrRefused)
	}
}

// What lies before a range that the server does not know may take longer than an answer may, as long as
// it moves.
func TestS3ContentSkips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const skip = 100
		content := &s3Content{ReadCloser: io.NopCloser(&slowly{}), ctx: t.Context(), attempt: &s3Attempt{safe: true}, skip: skip, left: 10, longer: true}
		ctx, w := startWatch(t.Context(), attemptTimeout)
		a := &answer{ctx: ctx, body: content, a: attempt{op: "Get"}, w: w}
		defer a.Close()
		began := time.Now()
		first := make([]byte, 4) // some readers give up if nothing comes
		if n, err := a.Read(first); n != 1 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		got, err := io.ReadAll(a)
		if took := time.Since(began); len(got) != 9 || err != nil || ctx.Err() != nil || took < skip*time.Second {
			t.Errorf("%d bytes, %v, in %v", len(got), err, took)
		}
	})
}

// slowly gives a byte in a second, without end.
type slowly struct{}

func (*slowly) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	return 1, nil
}

func TestS3GetShortBody(t *testing.T) {
	for name, chunked := range map[string]bool{"length": false, "chunked": true} {
		t.Run(name, func(t *testing.T) {
			b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("ETag", `"e"`)
				w.Header().Set("Last-Modified", "Thu, 02 Jan 2025 03:04:05 GMT")
				if chunked { // which ends well, only too early
					w.Header().Set("Content-Range", "bytes 0-9/10")
					w.WriteHeader(http.StatusPartialContent)
					w.(http.Flusher).Flush()
				} else {
					w.Header().Set("Content-Length", "10")
				}
				io.WriteString(w, "01234")
			})
			o, err := b.Get(t.Context(), GetRequest{Key: "k", Range: map[bool]*Range{true: {0, 10}}[chunked]})
			if err != nil {
				t.Fatal(err)
			}
			defer o.Body.Close()
			got, err := io.ReadAll(o.Body)
			s3WantFate(t, err, Unsent, io.ErrUnexpectedEOF)
			if string(got) != "01234" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestS3Tags(t *testing.T) {
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `<Tagging><TagSet><Tag><Key>a b</Key><Value>+&amp;=</Value></Tag><Tag><Key>c</Key><Value></Value></Tag></TagSet></Tagging>`)
	})
	tags, err := b.Tags(t.Context(), "k", "v")
	if want := "a%20b=%2B%26%3D&c="; tags != want || err != nil {
		t.Errorf("%q, %v, want %q", tags, err, want)
	}
}

func TestS3List(t *testing.T) {
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("prefix") != "d/" || q.Get("delimiter") != "/" || q.Get("start-after") != "d/a" || q.Get("max-keys") != "2" || q.Get("encoding-type") != "url" {
			t.Errorf("query %s", r.URL.RawQuery)
		}
		if q.Get("continuation-token") == "t+1" {
			io.WriteString(w, `<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>`)
			return
		}
		io.WriteString(w, `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t+1</NextContinuationToken>
			<Contents><Key>d/a+b%2B%01%FF</Key><ETag>"e"</ETag><Size>7</Size><LastModified>2025-01-02T03:04:05.999Z</LastModified><StorageClass>STANDARD</StorageClass></Contents>
			<CommonPrefixes><Prefix>d/%25/</Prefix></CommonPrefixes></ListBucketResult>`)
	})
	o := ListOptions{Prefix: "d/", Delimiter: "/", After: "d/a", Max: 2}
	page, err := b.List(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := ListPage{Next: "t+1", Prefixes: []string{"d/%/"}, Objects: []Info{{Key: "d/a b+\x01\xff", ETag: "e", Size: 7,
		LastModified: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)}}}
	if !reflect.DeepEqual(page, want) {
		t.Errorf("got\n%+v, want\n%+v", page, want)
	}
	o.Token = page.Next // a page that is cut and does not say where would hide the rest
	if _, err = b.List(t.Context(), o); !errors.Is(err, ErrRefused) {
		t.Errorf("cut: %v", err)
	}
}

func TestS3ListOfAServerWithoutEncoding(t *testing.T) {
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `<ListBucketResult><Contents><Key>100%25 +</Key><ETag>e</ETag></Contents></ListBucketResult>`)
	})
	page, err := b.List(t.Context(), ListOptions{})
	if err != nil || len(page.Objects) != 1 || page.Objects[0].Key != "100%25 +" {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestS3ListVersionsKeepsTheOrder(t *testing.T) {
	entry := func(kind, id, more string) string {
		return fmt.Sprintf(`<%s><Key>k%%01+x</Key><VersionId>%s</VersionId><LastModified>2025-01-02T03:04:05.000Z</LastModified>%s</%[1]s>`, kind, id, more)
	}
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("prefix") != "k" || q.Get("key-marker") != "k\x01" || q.Get("version-id-marker") != "v9" || q.Get("encoding-type") != "url" {
			t.Errorf("query %s", r.URL.RawQuery)
		}
		io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>k</Prefix>`+
			`<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextKeyMarker>k%01+x</NextKeyMarker><NextVersionIdMarker>v1</NextVersionIdMarker>`+
			entry("DeleteMarker", "v5", `<IsLatest>true</IsLatest>`)+
			entry("Version", "v4", `<IsLatest>false</IsLatest><ETag>&quot;e4&quot;</ETag><Size>4</Size><StorageClass>STANDARD</StorageClass>`)+
			entry("DeleteMarker", "v3", `<Owner><ID>o</ID></Owner>`)+
			entry("Version", "v2", `<ETag>"e2"</ETag><Size>2</Size><StorageClass>GLACIER_IR</StorageClass>`)+
			`<CommonPrefixes><Prefix>k%2Fd/</Prefix></CommonPrefixes></ListVersionsResult>`)
	})
	page, err := b.ListVersions(t.Context(), VersionOptions{Prefix: "k", KeyMarker: "k\x01", VersionMarker: "v9"})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	info := func(id, etag string, size int64, class string) Info {
		return Info{Key: "k\x01 x", VersionID: id, ETag: etag, Size: size, LastModified: at, Props: Props{StorageClass: class}}
	}
	want := VersionPage{NextKey: "k\x01 x", NextVersion: "v1", Prefixes: []string{"k/d/"}, Versions: []Version{
		{Info: info("v5", "", 0, ""), Latest: true, Deleted: true},
		{Info: info("v4", "e4", 4, "")},
		{Info: info("v3", "", 0, ""), Deleted: true},
		{Info: info("v2", "e2", 2, "GLACIER_IR")},
	}}
	if !reflect.DeepEqual(page, want) {
		t.Errorf("got\n%+v, want\n%+v", page, want)
	}
}

func TestS3ListVersionsRefused(t *testing.T) {
	answer := ""
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		if answer == "" {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, s3ErrorXML("AccessDenied"))
		}
		io.WriteString(w, answer)
	})
	_, err := b.ListVersions(t.Context(), VersionOptions{})
	s3WantFate(t, err, Refused, ErrAccessDenied)
	answer = `<ListVersionsResult><IsTruncated>true</IsTruncated></ListVersionsResult>`
	_, err = b.ListVersions(t.Context(), VersionOptions{})
	s3WantFate(t, err, Refused, ErrRefused)
	answer = s3ErrorXML("InternalError")
	_, err = b.ListVersions(t.Context(), VersionOptions{})
	s3WantFate(t, err, Unsent, nil)
}

// What a proxy answers in place of the server says nothing of what is in the bucket.
func TestS3OnlyAListIsAList(t *testing.T) {
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "<html><body>Welcome</body></html>")
	})
	if page, err := b.List(t.Context(), ListOptions{}); err == nil {
		t.Errorf("list: %+v", page)
	}
	if page, err := b.ListVersions(t.Context(), VersionOptions{}); err == nil {
		t.Errorf("versions: %+v", page)
	}
	if tags, err := b.Tags(t.Context(), "k", ""); err == nil {
		t.Errorf("tags: %q", tags)
	}
}

// A server that gives the same page for ever gets an error, not a listing without end.
func TestS3ListingGoesOn(t *testing.T) {
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("versions") {
			io.WriteString(w, "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextVersionIdMarker>v</NextVersionIdMarker></ListVersionsResult>")
			return
		}
		io.WriteString(w, "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>")
	})
	_, err := b.ListVersions(t.Context(), VersionOptions{KeyMarker: "k", VersionMarker: "v"})
	s3WantFate(t, err, Refused, ErrRefused)
	_, err = b.List(t.Context(), ListOptions{Token: "t"})
	s3WantFate(t, err, Refused, ErrRefused)
	if _, err := b.ListVersions(t.Context(), VersionOptions{KeyMarker: "k", VersionMarker: "w"}); err != nil {
		t.Error(err)
	}
}

func TestS3Bucket(t *testing.T) {
	answer := s3ErrorXML("BucketAlreadyOwnedByYou")
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch body, _ := io.ReadAll(r.Body); {
		case r.Method == "GET":
			io.WriteString(w, answer)
		case r.URL.RawQuery == "versioning=" && strings.Contains(string(body), "<Status>Enabled</Status>"):
		case strings.Contains(string(body), "<LocationConstraint>eu-central-1</LocationConstraint>"):
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, answer)
		default:
			t.Errorf("%s %s %s", r.Method, r.URL, body)
		}
	})
	if err := New(b, Options{}).CreateBucket(t.Context()); err != nil {
		t.Errorf("our own bucket: %v", err)
	}
	answer = s3ErrorXML("BucketAlreadyExists")
	s3WantFate(t, b.CreateBucket(t.Context()), Refused, ErrRefused)
	if err := b.EnableVersioning(t.Context()); err != nil {
		t.Error(err)
	}
	for status, want := range map[string]Versioning{"<Status>Enabled</Status>": VersioningOn, "<Status>Suspended</Status>": VersioningSuspended, "": VersioningOff} {
		answer = "<VersioningConfiguration>" + status + "</VersioningConfiguration>"
		if got, err := b.Versioning(t.Context()); got != want || err != nil {
			t.Errorf("%s: %v, %v", status, got, err)
		}
	}
}

// A bucket without Object Lock, one with it and one with a default rule; the page of a proxy is
// none of these.
func TestS3DefaultRetention(t *testing.T) {
	var status int
	var answer string
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, answer)
	})
	rule := func(inner string) string { return "<ObjectLockConfiguration>" + inner + "</ObjectLockConfiguration>" }
	const governance = "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>30</Days></DefaultRetention></Rule>"
	for _, c := range []struct {
		status int
		answer string
		want   Retention
		says   string
	}{
		{http.StatusNotFound, s3ErrorXML("ObjectLockConfigurationNotFoundError"), Retention{}, "none"},
		{http.StatusNotImplemented, s3ErrorXML("NotImplemented"), Retention{}, "none"},
		{http.StatusMethodNotAllowed, s3ErrorXML("MethodNotAllowed"), Retention{}, "none"},
		{http.StatusOK, "<ListBucketResult></ListBucketResult>", Retention{}, "none"},
		{http.StatusOK, rule("<ObjectLockEnabled>Enabled</ObjectLockEnabled>"), Retention{}, "none"},
		{http.StatusOK, rule(governance), Retention{Mode: "GOVERNANCE", Days: 30}, "GOVERNANCE, 30 days"},
		{http.StatusOK, rule(strings.Replace(governance, "Days>30</Days", "Years>7</Years", 1)), Retention{Mode: "GOVERNANCE", Years: 7}, "GOVERNANCE, 7 years"},
	} {
		status, answer = c.status, c.answer
		got, err := b.DefaultRetention(t.Context())
		if err != nil || got != c.want || got.String() != c.says {
			t.Errorf("%d %s: %v, %v; want %v", c.status, c.answer, got, err, c.want)
		}
	}
	status, answer = http.StatusOK, "<html>welcome</html>"
	if got, err := b.DefaultRetention(t.Context()); err == nil {
		t.Errorf("the page of a proxy is taken for %v", got)
	}
	for code, want := range map[string]error{"AccessDenied": ErrAccessDenied, "NoSuchBucket": ErrNoBucket} {
		status, answer = http.StatusForbidden, s3ErrorXML(code)
		if _, err := b.DefaultRetention(t.Context()); !errors.Is(err, want) {
			t.Errorf("%s: %v", code, err)
		}
	}
}
