package integration

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// bigText is more than one PUT takes: it is uploaded in parts.
var bigText = strings.Repeat("0123456789abcde\n", 20<<20/16)

// uploading tells whether a request is one of an upload in parts: "create", "part", "complete".
func uploading(r *http.Request) string {
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && query.Has("uploads"):
		return "create"
	case r.Method == http.MethodPut && query.Has("partNumber"):
		return "part"
	case r.Method == http.MethodPost && query.Has("uploadId"):
		return "complete"
	}
	return ""
}

// uploads lists the uploads of a bucket that are neither complete nor aborted.
func uploads(e *harness.Env, b *harness.Bucket) (keys []string) {
	e.Helper()
	out, err := b.S3.ListMultipartUploads(e.Timeout(time.Minute), &s3.ListMultipartUploadsInput{Bucket: &b.Name})
	e.Must(err)
	for _, u := range out.Uploads {
		keys = append(keys, *u.Key)
	}
	return keys
}

// A mount is killed in the middle of the upload of a file that was closed. The next mount saves
// the file, and leaves none of the parts that nobody sees and everybody pays for; also where the
// file had been changed by somebody else and is kept beside it.
// SEMANTICS G5; LOCKS P6
func TestNoUploadIsLeftByACrash(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		step    string // of the upload, which hangs
		changed bool   // somebody else writes the file before the next mount
	}{{"in the parts", "part", false}, {"before its end", "complete", false}, {"of what changed", "part", true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := suite.New(t)
			b := e.Bucket(harness.OnDynamoDB, harness.Brief)
			p := b.Proxy()
			h := b.Through(p.URL).Mount("one").Expect(outage + "|conflict|changed")
			f := newFiles(e)
			f.mustPut(h.Path("big"), "old\n")
			e.Must(os.WriteFile(filepath.Join(e.Dir, "big"), []byte(bigText), 0o644))
			parts := 0
			p.Inject(func(r *http.Request) harness.Fault {
				step := uploading(r)
				if step == "part" {
					parts++
				}
				if step == tt.step && (step != "part" || parts > 1) {
					return harness.Hang
				}
				return harness.Pass
			})
			cp := e.Start(exec.Command("cp", filepath.Join(e.Dir, "big"), h.Path("big")))
			e.Eventually(30*time.Second, func() error {
				return some(p.Seen(func(r harness.Request) bool {
					return strings.Contains(r.Query, map[string]string{"part": "partNumber=2", "complete": "uploadId="}[tt.step]) && (tt.step == "part" || r.Method == http.MethodPost)
				}), tt.step+" that hangs")
			})
			h.Kill()
			cp.Wait(30 * time.Second)
			if left := uploads(e, b); len(left) == 0 {
				t.Fatal("the crash left no upload: the test shows nothing")
			}
			p.Inject(nil)
			if tt.changed {
				e.Must(b.S3.Put(e.Timeout(time.Minute), "big", "theirs\n"))
			}
			h.Mount()
			e.Eventually(time.Minute, func() error {
				if !strings.Contains(h.Log(), "recovered a dead session") {
					return some([]int{}, "recovery")
				}
				return nil
			})
			if left := uploads(e, b); len(left) != 0 {
				t.Errorf("uploads of %q are left", left)
			}
			got := contentNow(e, b, "big")
			if tt.changed {
				if kept := keptIn(e, b, "big", "conflict"); got != "theirs\n" || len(kept) != 1 || kept[0] != bigText {
					t.Errorf("the file is %.20q, and %d files are kept beside it", got, len(kept))
				}
			} else if got != bigText {
				t.Errorf("the file has %d bytes, not those that were closed", len(got))
			}
		})
	}
}

// S3 orders versions by the start of an upload. So a change of metadata alone that somebody makes
// while a file is uploaded lies on top of it, though the condition of its completion held: close
// says ESTALE, and the bytes are in a conflict file.
// SEMANTICS G1; LOCKS P3, flush
func TestForeignMetadataDuringAnUpload(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one").Expect("conflict|changed|current")
	f := newFiles(e)
	f.mustPut(h.Path("big"), "old\n")
	fd := f.mustOpen(h.Path("big"), unix.O_WRONLY|unix.O_TRUNC)
	for i := 0; i < len(bigText); i += 1 << 20 {
		f.mustWrite(fd, int64(i), bigText[i:i+1<<20])
	}
	p.Inject(func(r *http.Request) harness.Fault {
		if uploading(r) == "complete" {
			return harness.Halt
		}
		return harness.Pass
	})
	closing := f.begin(fileCall{Op: "close", FD: fd})
	e.Eventually(30*time.Second, func() error {
		return some(p.Seen(func(r harness.Request) bool {
			return r.Method == http.MethodPost && strings.Contains(r.Query, "uploadId=")
		}), "completion")
	})
	_, err := b.S3.CopyObject(e.Timeout(time.Minute), &s3.CopyObjectInput{Bucket: &b.Name, Key: aws.String("big"),
		CopySource: aws.String(b.Name + "/big"), MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"colour": "blue"}})
	e.Must(err)
	p.Inject(nil)
	p.Resume()
	if _, err := f.within(time.Minute, closing); err != unix.ESTALE {
		t.Errorf("close: %v, want ESTALE: somebody else's change came in between", err)
	}
	head, err := b.S3.Head(e.Timeout(time.Minute), "big")
	e.Must(err)
	if got := b.Content("big"); got != "old\n" || head.Metadata["colour"] != "blue" {
		t.Errorf("the file has %d bytes and the colour %q, want the other's change on top", len(got), head.Metadata["colour"])
	}
	if kept := keptIn(e, b, "big", "conflict"); len(kept) != 1 || kept[0] != bigText {
		t.Errorf("%d conflict files, want one with our bytes", len(kept))
	}
}
