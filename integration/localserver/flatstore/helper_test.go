package flatstore

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/s3response"
)

// openStore opens a store with a versioned bucket v and an unversioned one p, which is found
// sound at the end of the test.
func openStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.closed {
			return
		}
		s.removals.Wait()
		faults, err := s.Fsck()
		if err != nil {
			t.Error(err)
		}
		for _, f := range faults {
			t.Errorf("fsck: %s", f)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, versioned := range map[string]bool{"v": true, "p": false} {
		if err := s.EnsureBucket(name, "owner", versioned); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func put(s *Store, bucket, key string, body []byte, change ...func(*s3response.PutObjectInput)) (s3response.PutObjectOutput, error) {
	in := s3response.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(body), ContentLength: ptr(int64(len(body)))}
	for _, f := range change {
		f(&in)
	}
	return s.PutObject(context.Background(), in)
}

func mustPut(t *testing.T, s *Store, bucket, key string, body []byte) s3response.PutObjectOutput {
	t.Helper()
	out, err := put(s, bucket, key, body)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func get(s *Store, bucket, key string) ([]byte, error) {
	o, err := s.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	defer o.Body.Close()
	return io.ReadAll(o.Body)
}

// contentFiles gives the names in objects/.
func contentFiles(t *testing.T, s *Store) (names []string) {
	t.Helper()
	s.removals.Wait()
	entries, err := os.ReadDir(s.files.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, filepath.Join(s.files.dir, e.Name()))
	}
	return names
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if got := errorCode(err); got != code {
		t.Errorf("%s: %q, want %q", what, got, code)
	}
}
