package flatstore

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3response"
)

func startUpload(t *testing.T, s *Store, bucket, key string) string {
	t.Helper()
	u, err := s.CreateMultipartUpload(context.Background(), s3response.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	return u.UploadId
}

func uploadPart(s *Store, bucket, key, id string, number int32, body []byte) (*s3.UploadPartOutput, error) {
	return s.UploadPart(context.Background(), &s3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: &id, PartNumber: &number,
		Body: bytes.NewReader(body), ContentLength: ptr(int64(len(body)))})
}

func completeUpload(s *Store, bucket, key, id, etag string) (s3response.CompleteMultipartUploadResult, string, error) {
	return s.CompleteMultipartUpload(context.Background(), &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: &id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: ptr(int32(1)), ETag: &etag}}}})
}

// A part sent again takes the place of the first one, and of its file.
func TestPartReplaced(t *testing.T) {
	s := openStore(t)
	id := startUpload(t, s, "p", "k")
	if _, err := uploadPart(s, "p", "k", id, 1, make([]byte, inlineMax+1)); err != nil {
		t.Fatal(err)
	}
	p, err := uploadPart(s, "p", "k", id, 1, []byte("second"))
	if err != nil {
		t.Fatal(err)
	}
	if f := contentFiles(t, s); len(f) != 0 {
		t.Errorf("%v is left", f)
	}
	if _, _, err := completeUpload(s, "p", "k", id, *p.ETag); err != nil {
		t.Fatal(err)
	}
	if got, err := get(s, "p", "k"); err != nil || string(got) != "second" {
		t.Errorf("%q, %v", got, err)
	}
}

// A part that arrives when its upload is gone leaves nothing.
func TestPartOfNoUpload(t *testing.T) {
	s := openStore(t)
	id := startUpload(t, s, "p", "k")
	for _, c := range []struct{ key, id string }{{"k", "unknown"}, {"k", ""}, {"other", id}} {
		_, err := uploadPart(s, "p", c.key, c.id, 1, make([]byte, inlineMax+1))
		wantCode(t, "part of "+c.key+" "+c.id, err, "NoSuchUpload")
	}
	if f := contentFiles(t, s); len(f) != 0 {
		t.Errorf("%v is left", f)
	}
}

// A repeated completion is answered like the first for a while, but only if it asks for
// the same; later it knows no such upload.
func TestCompleteAgain(t *testing.T) {
	s := openStore(t)
	id := startUpload(t, s, "v", "k")
	p, err := uploadPart(s, "v", "k", id, 1, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	first, version, err := completeUpload(s, "v", "k", id, *p.ETag)
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, "v", "k", []byte("overwritten"))
	again, sameVersion, err := completeUpload(s, "v", "k", id, *p.ETag)
	if err != nil || *again.ETag != *first.ETag || version != sameVersion {
		t.Errorf("again: %v %s %v", again.ETag, sameVersion, err)
	}
	if got, _ := get(s, "v", "k"); string(got) != "overwritten" {
		t.Errorf("the repetition wrote %q", got)
	}
	_, _, err = completeUpload(s, "v", "k", id, etagOf([]byte("other")))
	wantCode(t, "with other parts", err, "NoSuchUpload")
	_, _, err = completeUpload(s, "v", "other", id, *p.ETag)
	wantCode(t, "of another key", err, "NoSuchUpload")

	s.updateBucket("v", false, func(b *bucket) error { // time passes
		c := b.completedBefore("k", id)
		c.At = c.At.Add(-2 * completedFor)
		return b.remember(id, *c)
	})
	_, _, err = completeUpload(s, "v", "k", id, *p.ETag)
	wantCode(t, "much later", err, "NoSuchUpload")
	u := startUpload(t, s, "v", "l")
	p, _ = uploadPart(s, "v", "l", u, 1, []byte("y"))
	if _, _, err := completeUpload(s, "v", "l", u, *p.ETag); err != nil {
		t.Fatal(err)
	}
	s.view(func(tx *tx) error {
		if tx.Bucket(rootCompleted).Get([]byte(id)) != nil {
			t.Error("an old completion is remembered forever")
		}
		return nil
	})
}

// A bucket cannot be deleted under its objects; open uploads go with it.
func TestDeleteBucket(t *testing.T) {
	s := openStore(t)
	if err := s.EnsureBucket("gone", "owner", false); err != nil {
		t.Fatal(err)
	}
	id := startUpload(t, s, "gone", "k")
	if _, err := uploadPart(s, "gone", "k", id, 1, make([]byte, inlineMax+1)); err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, "gone", "o", nil)
	wantCode(t, "with an object", s.DeleteBucket(context.Background(), "gone"), "BucketNotEmpty")
	if _, err := s.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: ptr("gone"), Key: ptr("o")}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "with an upload", s.DeleteBucket(context.Background(), "gone"), "")
	wantCode(t, "again", s.DeleteBucket(context.Background(), "gone"), "NoSuchBucket")
	if f := contentFiles(t, s); len(f) != 0 {
		t.Errorf("%v is left", f)
	}
	mustPut(t, s, "v", "o", nil)
	wantCode(t, "with a version", s.DeleteBucket(context.Background(), "v"), "BucketNotEmpty")
}

func TestRetention(t *testing.T) {
	now := time.Now()
	hour := now.Add(time.Hour)
	for _, c := range []struct {
		what   string
		v      version
		bypass bool
		free   bool
	}{
		{"nothing", version{}, false, true},
		{"governance", version{attributes: attributes{LockMode: "GOVERNANCE", LockUntil: hour}}, false, false},
		{"governance bypassed", version{attributes: attributes{LockMode: "GOVERNANCE", LockUntil: hour}}, true, true},
		{"governance over", version{attributes: attributes{LockMode: "GOVERNANCE", LockUntil: now}}, false, true},
		{"compliance bypassed", version{attributes: attributes{LockMode: "COMPLIANCE", LockUntil: hour}}, true, false},
		{"compliance over", version{attributes: attributes{LockMode: "COMPLIANCE", LockUntil: now}}, false, true},
		{"legal hold bypassed", version{attributes: attributes{LegalHold: ptr(true)}}, true, false},
		{"legal hold off", version{attributes: attributes{LegalHold: ptr(false)}}, false, true},
		{"legal hold after retention", version{attributes: attributes{LockMode: "GOVERNANCE", LockUntil: now, LegalHold: ptr(true)}}, true, false},
	} {
		if err := c.v.deletable(now, c.bypass); (err == nil) != c.free {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}
