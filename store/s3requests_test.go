package store

import (
	"io"
	"net/http"
	"reflect"
	"testing"
)

func s3WantHeaders(t *testing.T, got http.Header, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if v := got.Get(name); v != value {
			t.Errorf("%s: %q, want %q", name, v, value)
		}
	}
}

var s3Props = Props{
	Meta:        map[string]string{"file-mtime": "1ns", "with-tail": "a  b,c"},
	ContentType: "text/plain", CacheControl: "no-store", ContentDisposition: "inline", ContentEncoding: "gzip",
	ContentLanguage: "de", Expires: "when it rains", WebsiteRedirect: "/there", StorageClass: "STANDARD_IA",
	Encryption: "aws:kms", KMSKeyID: "key", BucketKey: true,
}

var s3PropsHeaders = map[string]string{
	"X-Amz-Meta-File-Mtime": "1ns", "X-Amz-Meta-With-Tail": "a  b,c",
	"Content-Type": "text/plain", "Cache-Control": "no-store", "Content-Disposition": "inline", "Content-Encoding": "gzip",
	"Content-Language": "de", "Expires": "when it rains", "X-Amz-Website-Redirect-Location": "/there", "X-Amz-Storage-Class": "STANDARD_IA",
	"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "key",
	"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled": "true",
}

func TestS3PutSends(t *testing.T) {
	const size = 3 << 20 // enough for the SDK to add Expect: 100-continue, if it were let
	var got *http.Request
	var length int64
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		length, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"new"`)
		w.Header().Set("X-Amz-Version-Id", "v2")
	})
	i, err := b.Put(t.Context(), PutRequest{Key: "dir/a b+c", Cond: Condition{IfMatch: "old"}, Props: s3Props, Tags: "a=b&c=%20",
		Body: &s3Zeros{size: size}, Size: size, CRC32C: "AAAAAA=="})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Info{Key: "dir/a b+c", ETag: "new", VersionID: "v2"}); !reflect.DeepEqual(i, want) {
		t.Errorf("answer %+v", i)
	}
	if got.Method != "PUT" || got.URL.Path != "/b/dir/a b+c" || got.ContentLength != size || length != size {
		t.Errorf("%s %s, %d of %d bytes", got.Method, got.URL.Path, length, got.ContentLength)
	}
	s3WantHeaders(t, got.Header, s3PropsHeaders)
	s3WantHeaders(t, got.Header, map[string]string{
		"If-Match": `"old"`, "If-None-Match": "", "X-Amz-Tagging": "a=b&c=%20",
		"X-Amz-Checksum-Crc32c": "AAAAAA==", "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD", "Expect": "", "X-Amz-Trailer": "",
	})
}

func TestS3PutSendsNothingByItself(t *testing.T) {
	var got http.Header
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.Header().Set("ETag", `"new"`)
	})
	if _, err := b.Put(t.Context(), PutRequest{Key: "k", Cond: Condition{IfNone: true}}); err != nil {
		t.Fatal(err)
	}
	s3WantHeaders(t, got, map[string]string{"If-None-Match": "*", "If-Match": "", "X-Amz-Storage-Class": "", "X-Amz-Tagging": "",
		"X-Amz-Server-Side-Encryption": "", "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled": "", "X-Amz-Checksum-Crc32": ""})
}

func TestS3CopySends(t *testing.T) {
	var got http.Header
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.Header().Set("X-Amz-Version-Id", "v2")
		io.WriteString(w, `<CopyObjectResult><LastModified>2025-01-02T03:04:05.678Z</LastModified><ETag>&quot;new&quot;</ETag></CopyObjectResult>`)
	})
	i, err := b.Copy(t.Context(), CopyRequest{Key: "k", Cond: Condition{IfNone: true}, Source: "d r/ü+?%", Version: "v/1", IfMatch: "src",
		Props: s3Props, Tags: "a=b"})
	if err != nil {
		t.Fatal(err)
	}
	if i.ETag != "new" || i.VersionID != "v2" || i.LastModified.Format("15:04:05.000") != "03:04:05.000" {
		t.Errorf("answer %+v", i)
	}
	s3WantHeaders(t, got, s3PropsHeaders)
	s3WantHeaders(t, got, map[string]string{
		"X-Amz-Copy-Source": "b/d%20r/%C3%BC%2B%3F%25?versionId=v%2F1", "X-Amz-Copy-Source-If-Match": `"src"`, "If-None-Match": "*",
		"X-Amz-Metadata-Directive": "REPLACE", "X-Amz-Tagging-Directive": "REPLACE", "X-Amz-Tagging": "a=b",
	})
}

func TestS3UploadSends(t *testing.T) {
	var headers []http.Header
	var body []byte
	b := s3Serve(t, func(w http.ResponseWriter, r *http.Request) {
		headers = append(headers, r.Header)
		body, _ = io.ReadAll(r.Body)
		switch r.Method + " " + r.URL.RawQuery {
		case "POST uploads=":
			io.WriteString(w, `<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>`)
		case "PUT partNumber=1&uploadId=u1&x-id=UploadPart":
			w.Header().Set("ETag", `"p1"`)
		case "PUT partNumber=2&uploadId=u1&x-id=UploadPartCopy":
			io.WriteString(w, `<CopyPartResult><ETag>"p2"</ETag><ChecksumCRC32C>c2</ChecksumCRC32C></CopyPartResult>`)
		case "POST uploadId=u1":
			w.Header().Set("X-Amz-Version-Id", "v")
			io.WriteString(w, `<CompleteMultipartUploadResult><ETag>"e-2"</ETag></CompleteMultipartUploadResult>`)
		default:
			t.Errorf("%s %s", r.Method, r.URL)
		}
	})
	ctx := t.Context()
	u, err := b.CreateUpload(ctx, CreateUploadRequest{Key: "k", Props: s3Props, Tags: "a=b"})
	if err != nil || u != "u1" {
		t.Fatal(u, err)
	}
	p1, err := b.UploadPart(ctx, PartRequest{Key: "k", Upload: u, Number: 1, Body: &s3Zeros{size: 5}, Size: 5, CRC32C: "AAAAAA=="})
	if err != nil || p1 != (Part{1, "p1", "AAAAAA=="}) {
		t.Fatal(p1, err)
	}
	p2, err := b.CopyPart(ctx, CopyPartRequest{Key: "k", Upload: u, Number: 2, Source: "s", Version: "v1", IfMatch: "e", Range: Range{5, 10}})
	if err != nil || p2 != (Part{2, "p2", "c2"}) {
		t.Fatal(p2, err)
	}
	// All of the source: S3 takes ranges from large ones alone.
	if _, err := b.CopyPart(ctx, CopyPartRequest{Key: "k", Upload: u, Number: 2, Source: "s", IfMatch: "e", Range: Range{Length: -1}}); err != nil {
		t.Fatal(err)
	}
	s3WantHeaders(t, headers[3], map[string]string{"X-Amz-Copy-Source": "b/s", "X-Amz-Copy-Source-Range": ""})
	headers = headers[:3]
	i, err := b.CompleteUpload(ctx, CompleteRequest{Key: "k", Upload: u, Cond: Condition{IfMatch: "old"}, Parts: []Part{p1, p2}, Size: 15})
	if err != nil || i.ETag != "e-2" || i.VersionID != "v" {
		t.Fatal(i, err)
	}
	s3WantHeaders(t, headers[0], s3PropsHeaders)
	s3WantHeaders(t, headers[0], map[string]string{"X-Amz-Checksum-Algorithm": "CRC32C", "X-Amz-Checksum-Type": "COMPOSITE", "X-Amz-Tagging": "a=b"})
	s3WantHeaders(t, headers[1], map[string]string{"X-Amz-Checksum-Crc32c": "AAAAAA==", "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"})
	s3WantHeaders(t, headers[2], map[string]string{"X-Amz-Copy-Source": "b/s?versionId=v1", "X-Amz-Copy-Source-If-Match": `"e"`, "X-Amz-Copy-Source-Range": "bytes=5-14"})
	s3WantHeaders(t, headers[3], map[string]string{"If-Match": `"old"`, "X-Amz-Mp-Object-Size": "15"})
	const want = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
		`<Part><ChecksumCRC32C>AAAAAA==</ChecksumCRC32C><ETag>&#34;p1&#34;</ETag><PartNumber>1</PartNumber></Part>` +
		`<Part><ChecksumCRC32C>c2</ChecksumCRC32C><ETag>&#34;p2&#34;</ETag><PartNumber>2</PartNumber></Part></CompleteMultipartUpload>`
	if string(body) != want {
		t.Errorf("parts:\n%s, want\n%s", body, want)
	}
}
