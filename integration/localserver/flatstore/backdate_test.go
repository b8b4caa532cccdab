package flatstore

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Versions that were made older are what they were but for their time, and later ones are not touched.
func TestBackdate(t *testing.T) {
	dir := t.TempDir()
	open := func() *Store {
		t.Helper()
		s, err := Open(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	if err := s.EnsureBucket("v", "owner", true); err != nil {
		t.Fatal(err)
	}
	large := make([]byte, 100_000)
	mustPut(t, s, "v", "small", []byte("one"))
	mustPut(t, s, "v", "large", large)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Backdate(dir, "v", 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	mustPut(t, s, "v", "small", []byte("two"))
	for key, want := range map[string]time.Duration{"small": 0, "large": 24 * time.Hour} {
		out, err := s.HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: ptr("v"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Since(*out.LastModified); got < want-time.Second || got > want+time.Minute {
			t.Errorf("%s is %s old, not %s", key, got, want)
		}
	}
	if body, err := get(s, "v", "large"); err != nil || len(body) != len(large) {
		t.Errorf("large has %d bytes: %v", len(body), err)
	}
	if faults, err := s.Fsck(); err != nil || len(faults) > 0 {
		t.Errorf("fsck: %v, %v", faults, err)
	}
	if err := Backdate(dir, "absent", time.Hour); err == nil {
		t.Error("a bucket that is not there was made older")
	}
}
