package flatstore

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// setUpload changes the row of an open upload.
func setUpload(t *testing.T, s *Store, name, key, id string, change func(*upload)) {
	t.Helper()
	err := s.updateBucket(name, false, func(b *bucket) error {
		u, err := b.upload(key, id)
		if err != nil {
			return err
		}
		change(u)
		row, err := encodeRow(u, []byte(key))
		if err != nil {
			return err
		}
		return b.t.put(b.uploads(), []byte(id), row)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func versionIDs(t *testing.T, s *Store, bucket string) (ids []string) {
	t.Helper()
	p := &versionsPage{name: bucket, limit: 100}
	if err := s.listVersions(p); err != nil {
		t.Fatal(err)
	}
	for _, e := range p.entries {
		ids = append(ids, e.id)
	}
	return ids
}

// What an upload makes is as old as the upload: a version made since stays the current one.
func TestUploadIsAsOldAsItsBeginning(t *testing.T) {
	s := openStore(t)
	mustPut(t, s, "v", "k", []byte("before"))
	id := startUpload(t, s, "v", "k")
	setUpload(t, s, "v", "k", id, func(u *upload) { u.Initiated = u.Initiated.Add(-2 * completedFor) })
	p, err := uploadPart(s, "v", "k", id, 1, []byte("upload"))
	if err != nil {
		t.Fatal(err)
	}
	newer := mustPut(t, s, "v", "k", []byte("newer"))
	_, made, err := completeUpload(s, "v", "k", id, *p.ETag)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := get(s, "v", "k"); err != nil || string(got) != "newer" {
		t.Errorf("current is %q, %v", got, err)
	}
	if ids := versionIDs(t, s, "v"); len(ids) != 3 || ids[0] != newer.VersionID || ids[1] != made {
		t.Errorf("versions %v, made were %s and since %s", ids, made, newer.VersionID)
	}
	head, err := s.HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: ptr("v"), Key: ptr("k"), VersionId: &made})
	if err != nil || time.Since(*head.LastModified) < completedFor {
		t.Errorf("last modified %v, %v", head.LastModified, err)
	}
	// The answer is remembered from the completion on.
	if _, again, err := completeUpload(s, "v", "k", id, *p.ETag); err != nil || again != made {
		t.Errorf("again: %s, %v", again, err)
	}
}

// An upload that was begun before uploads had sequence numbers can be completed.
func TestUploadWithoutSequence(t *testing.T) {
	s := openStore(t)
	id := startUpload(t, s, "v", "k")
	setUpload(t, s, "v", "k", id, func(u *upload) { u.Seq = 0 })
	p, err := uploadPart(s, "v", "k", id, 1, []byte("upload"))
	if err != nil {
		t.Fatal(err)
	}
	before := mustPut(t, s, "v", "k", []byte("before"))
	_, made, err := completeUpload(s, "v", "k", id, *p.ETag)
	if ids := versionIDs(t, s, "v"); err != nil || !slices.Equal(ids, []string{made, before.VersionID}) {
		t.Errorf("versions %v, made was %s, %v", ids, made, err)
	}
}
