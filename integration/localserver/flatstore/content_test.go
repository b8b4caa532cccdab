package flatstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/s3response"
)

func TestBodySizes(t *testing.T) {
	s := openStore(t)
	for _, n := range []int{0, 1, 511, 512, 513, inlineMax - 1, inlineMax, inlineMax + 1, copyBuffer, 3*copyBuffer + 17} {
		body := bytes.Repeat([]byte("0123456789"), n/10+1)[:n]
		for name, r := range map[string]io.Reader{
			"at once": bytes.NewReader(body), "in halves": iotest.HalfReader(bytes.NewReader(body)),
			"with EOF": iotest.DataErrReader(bytes.NewReader(body)),
		} {
			what := fmt.Sprintf("%d bytes %s", n, name)
			_, err := put(s, "p", "k", body, func(in *s3response.PutObjectInput) { in.Body = r })
			wantCode(t, what, err, "")
			got, err := get(s, "p", "k")
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%s: %d bytes are read back, %v", what, len(got), err)
			}
			if files, want := len(contentFiles(t, s)), 0; n > inlineMax {
				if want = 1; files != want {
					t.Errorf("%s: %d content files, want %d", what, files, want)
				}
			} else if files != want {
				t.Errorf("%s: %d content files, want %d", what, files, want)
			}
		}
	}
}

// A body that breaks off, is longer or shorter than announced, or does not have the
// checksum given, leaves the object as it was, and no file.
func TestRefusedBodies(t *testing.T) {
	s := openStore(t)
	mustPut(t, s, "p", "k", []byte("old"))
	for _, n := range []int{100, inlineMax + 1, copyBuffer * 2} {
		body := bytes.Repeat([]byte("x"), n)
		for name, c := range map[string]struct {
			change func(*s3response.PutObjectInput)
			code   string
		}{
			"cut off": {func(in *s3response.PutObjectInput) {
				in.Body = io.MultiReader(bytes.NewReader(body[:n-1]), iotest.ErrReader(io.ErrUnexpectedEOF))
			}, "IncompleteBody"},
			"connection broken": {func(in *s3response.PutObjectInput) {
				in.Body = io.MultiReader(bytes.NewReader(body[:n/2]), iotest.ErrReader(errors.New("reset")))
			}, "IncompleteBody"},
			"too short": {func(in *s3response.PutObjectInput) { in.ContentLength = ptr(int64(n + 1)) }, "IncompleteBody"},
			"too long":  {func(in *s3response.PutObjectInput) { in.ContentLength = ptr(int64(n - 1)) }, "IncompleteBody"},
			"wrong sum": {func(in *s3response.PutObjectInput) { in.ChecksumCRC32 = ptr("AAAAAA==") }, "BadDigest"},
		} {
			what := fmt.Sprintf("%d bytes, %s", n, name)
			_, err := put(s, "p", "k", body, c.change)
			wantCode(t, what, err, c.code)
			if got, err := get(s, "p", "k"); err != nil || string(got) != "old" {
				t.Errorf("%s: the object is now %d bytes, %v", what, len(got), err)
			}
			if f := contentFiles(t, s); len(f) != 0 {
				t.Errorf("%s: %v is left", what, f)
			}
		}
	}
}

// A refused write is read to its end, so that the client sees the refusal.
func TestRefusalDrainsBody(t *testing.T) {
	s := openStore(t)
	mustPut(t, s, "p", "k", []byte("old"))
	r := strings.NewReader(strings.Repeat("x", 1<<20))
	_, err := put(s, "p", "k", nil, func(in *s3response.PutObjectInput) {
		in.Body, in.ContentLength, in.IfNoneMatch = r, ptr(int64(1<<20)), ptr("*")
	})
	wantCode(t, "put over an object", err, "PreconditionFailed")
	if r.Len() != 0 {
		t.Errorf("%d bytes were not read", r.Len())
	}
}

func TestUnwritableFolder(t *testing.T) {
	s := openStore(t)
	dir := s.files.dir
	s.files.dir += "/missing"
	_, err := put(s, "p", "k", make([]byte, inlineMax+1))
	var w *writeError
	if !errors.As(err, &w) {
		t.Errorf("put: %v, want a writeError", err)
	}
	s.files.dir = dir
	if _, err := get(s, "p", "k"); errorCode(err) != "NoSuchKey" {
		t.Errorf("get: %v", err)
	}
}

// A reader gets its version whole, though it is deleted and its file would be removed.
func TestReaderKeepsContent(t *testing.T) {
	s := openStore(t)
	body := bytes.Repeat([]byte("0123456789"), 50_000)
	mustPut(t, s, "p", "k", body)
	o, err := s.GetObject(context.Background(), &s3.GetObjectInput{Bucket: ptr("p"), Key: ptr("k")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: ptr("p"), Key: ptr("k")}); err != nil {
		t.Fatal(err)
	}
	if n := len(contentFiles(t, s)); n != 1 {
		t.Errorf("%d content files while there is a reader", n)
	}
	got, err := io.ReadAll(o.Body)
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d of %d bytes, %v", len(got), len(body), err)
	}
	o.Body.Close()
	if f := contentFiles(t, s); len(f) != 0 {
		t.Errorf("%v is left", f)
	}
}

// Copies share content; it goes with the last of them.
func TestCopySharesContent(t *testing.T) {
	s := openStore(t)
	body := bytes.Repeat([]byte("x"), inlineMax+1)
	mustPut(t, s, "p", "a", body)
	before := contentFiles(t, s)
	for _, to := range []string{"b", "c"} {
		_, err := s.CopyObject(context.Background(), s3response.CopyObjectInput{Bucket: ptr("p"), Key: &to, CopySource: ptr("p/a")})
		wantCode(t, "copy to "+to, err, "")
	}
	if after := contentFiles(t, s); !slices.Equal(before, after) {
		t.Errorf("content files %v, before the copies %v", after, before)
	}
	for i, key := range []string{"a", "c", "b"} {
		if _, err := s.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: ptr("p"), Key: &key}); err != nil {
			t.Fatal(err)
		}
		if n, want := len(contentFiles(t, s)), 1; i == 2 {
			if n != 0 {
				t.Errorf("%d content files after the last copy went", n)
			}
		} else if n != want {
			t.Errorf("%d content files after %d of 3 copies went", n, i+1)
		}
	}
}

func TestSweep(t *testing.T) {
	s := openStore(t)
	mustPut(t, s, "p", "k", make([]byte, inlineMax+1))
	kept := contentFiles(t, s)
	if _, err := s.files.stage(bytes.NewReader(make([]byte, inlineMax+1))); err != nil {
		t.Fatal(err)
	}
	foreign := s.files.dir + "/README"
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.sweep(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(foreign); err != nil {
		t.Errorf("a file that is none of ours: %v", err)
	}
	if left := contentFiles(t, s); !slices.Equal(left, kept) {
		t.Errorf("after the sweep %v, want %v", left, kept)
	}
}
