package integration

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// LOCKS P7, lost answers: each kind of request that changes something is made once.
// SEMANTICS G1
func TestP7LostReplies(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one").Expect("unanswered|unknown|EOF|outcome")
	big := strings.Repeat("0123456789abcde\n", 9<<20/16)
	e.Must(os.WriteFile(filepath.Join(e.Dir, "big"), []byte(big), 0o644))
	lose := func(match func(r *http.Request) bool) *atomic.Bool {
		var lost atomic.Bool
		p.Inject(func(r *http.Request) harness.Fault {
			if match(r) && !lost.Swap(true) {
				return harness.LoseReply
			}
			return harness.Pass
		})
		return &lost
	}
	for _, tt := range []struct {
		name   string
		match  func(r *http.Request) bool
		script string
	}{
		{"create", func(r *http.Request) bool { return r.Method == "PUT" && strings.HasSuffix(r.URL.Path, "/f") }, "echo 1 > f"},
		{"mkdir", func(r *http.Request) bool { return r.Method == "PUT" && strings.HasSuffix(r.URL.Path, "/d/") }, "mkdir d"},
		{"copy", func(r *http.Request) bool { return r.Header.Get("X-Amz-Copy-Source") != "" }, "mv f g; test ! -e f"},
		{"delete of a rename", func(r *http.Request) bool { return r.Method == "DELETE" }, "mv g f; test ! -e g"},
		{"chmod", func(r *http.Request) bool { return r.Header.Get("X-Amz-Copy-Source") != "" }, "chmod 640 f; test $(stat -c %a f) = 640"},
		{"delete", func(r *http.Request) bool { return r.Method == "DELETE" }, "rm f; test ! -e f"},
		{"rmdir", func(r *http.Request) bool { return r.Method == "DELETE" }, "rmdir d; test ! -e d"},
		{"create upload", func(r *http.Request) bool { return r.Method == "POST" && strings.HasPrefix(r.URL.RawQuery, "uploads") }, "cat ../../big > big"},
		{"upload part", func(r *http.Request) bool { return strings.Contains(r.URL.RawQuery, "partNumber=") }, "cat ../../big > big"},
		{"complete", func(r *http.Request) bool {
			return r.Method == "POST" && strings.Contains(r.URL.RawQuery, "uploadId=")
		}, "cat ../../big > big"},
	} {
		lost := lose(tt.match)
		if o := e.TrySh(h.Mountpoint, tt.script); o.Code != 0 {
			t.Errorf("%s: exit code %d\n%s%s", tt.name, o.Code, o.Out, o.Err)
		}
		if !lost.Load() {
			t.Errorf("%s: no answer was lost", tt.name)
		}
	}
	p.Inject(nil)
	if got := b.Content("big"); got != big {
		t.Errorf("big has %d bytes, not those written", len(got))
	}
	if n := len(b.VersionsOf("big")); n != 3 {
		t.Errorf("%d versions of big, want 3", n)
	}
	// A restart of the name made a chain of its own; both are whole.
	if n := len(b.VersionsOf("f")); n != 3 {
		t.Errorf("%d versions of f, want those of echo, mv and chmod", n)
	}
	if keys := b.KeysBelow(""); strings.Join(keys, " ") != "big" {
		t.Errorf("the bucket has %q", keys)
	}
	out, err := b.S3.ListMultipartUploads(e.Timeout(time.Minute), &s3.ListMultipartUploadsInput{Bucket: &b.Name})
	e.Must(err)
	if n := len(out.Uploads); n > 1 { // the one whose id was in the lost answer
		t.Errorf("%d uploads are left", n)
	}
}

// LOCKS P7, throttling: slower, nothing else.
func TestP7Throttled(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one")
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	p.Inject(func(r *http.Request) harness.Fault {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(10) < 4 {
			return harness.Busy
		}
		return harness.Pass
	})
	e.Sh(h.Mountpoint, "mkdir d; echo 1 > d/f; echo 2 >> d/f; mv d/f g; cat g; echo 3 > d/f; rm d/f; rmdir d; ls")
	if got := b.Content("g"); got != "1\n2\n" {
		t.Errorf("the bucket has %q", got)
	}
}

// LOCKS P7, crash after the request landed and before the journal says so: the write id is
// found at the restart.
// SEMANTICS G5
func TestP7CrashBeforeJournalUpdate(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one").Expect("recover")
	f := newFiles(e)
	f.mustPut(h.Path("f"), "old\n")
	fd := f.mustOpen(h.Path("f"), unix.O_WRONLY|unix.O_TRUNC)
	f.mustWrite(fd, 0, "ours\n")
	p.Inject(func(r *http.Request) harness.Fault {
		switch {
		case !strings.HasSuffix(r.URL.Path, "/f"):
			return harness.Pass
		case r.Method == "PUT":
			return harness.LoseReply
		}
		return harness.Hang
	})
	closing := f.begin(fileCall{Op: "close", FD: fd})
	e.Eventually(30*time.Second, func() error { return equal(b.Content("f"), "ours\n") })
	h.Kill()
	if _, err := f.within(30*time.Second, closing); err == nil {
		t.Error("close returned 0 though the answer was lost")
	}
	p.Inject(nil)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", "theirs\n")) // and ours is found below
	h.Mount()
	e.Eventually(30*time.Second, func() error {
		if !strings.Contains(h.Log(), "recovered a dead session") {
			return some([]int{}, "recovery")
		}
		return nil
	})
	if n := len(b.VersionsOf("f")); n != 3 {
		t.Errorf("%d versions, want 3", n)
	}
	if keys := b.KeysBelow(""); len(keys) != 1 || b.Content("f") != "theirs\n" {
		t.Errorf("the bucket has %q, f is %q", keys, b.Content("f"))
	}
}

// LOCKS P7, crash between copy and delete of a rename: both names are there, whole, and
// free again. (That the rename is finished comes with intents.)
// SEMANTICS G5, G7
func TestP7CrashInRename(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one").Expect("recover|unknown|outcome|unanswered")
	f := newFiles(e)
	f.mustPut(h.Path("a"), "text\n")
	p.Inject(func(r *http.Request) harness.Fault {
		if r.Method == "DELETE" {
			return harness.Hang
		}
		return harness.Pass
	})
	renaming := f.begin(fileCall{Op: "rename", Path: h.Path("a"), To: h.Path("b")})
	e.Eventually(30*time.Second, func() error {
		return some(p.Seen(func(r harness.Request) bool { return r.Method == "DELETE" }), "DELETE")
	})
	h.Kill()
	f.within(30*time.Second, renaming)
	p.Inject(nil)
	h.Mount()
	for _, name := range []string{"a", "b"} {
		if got := f.mustGet(h.Path(name)); got != "text\n" {
			t.Errorf("%s reads %q", name, got)
		}
		f.mustPut(h.Path(name), "new "+name+"\n")
	}
	if keys := b.KeysBelow(""); strings.Join(keys, " ") != "a b" {
		t.Errorf("the bucket has %q", keys)
	}
}

// LOCKS P7, no versioning: what a partial change showed of a base that is gone cannot be
// had any more; what was written is kept, with the list of its ranges.
// SEMANTICS G5
func TestP7UnversionedPartialConflict(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	_, err := b.S3.PutBucketVersioning(e.Timeout(time.Minute), &s3.PutBucketVersioningInput{Bucket: &b.Name,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended}})
	e.Must(err)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", strings.Repeat("base", 100)))
	h := b.Mount("one").Expect("conflict|changed|versions")
	f := newFiles(e)
	fd := f.mustOpen(h.Path("f"), unix.O_RDWR)
	f.mustWrite(fd, 100, "ours")
	f.mustWrite(fd, 200, "too")
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", "theirs\n"))
	if err := f.close(fd); err != unix.ESTALE {
		t.Errorf("close: %v, want ESTALE", err)
	}
	if got := b.Content("f"); got != "theirs\n" {
		t.Errorf("the file is %q", got)
	}
	kept := b.KeysBelow("f.conflict-one-")
	if len(kept) != 2 || !strings.HasSuffix(kept[0], ".partial") || kept[1] != kept[0]+".ranges" {
		t.Fatalf("kept %q", kept)
	}
	if got := b.Content(kept[0]); len(got) != 400 || got[100:104] != "ours" || got[200:203] != "too" {
		t.Errorf("the partial file has %d bytes", len(got))
	}
	if got := b.Content(kept[1]); got != "100 4\n200 3\n" {
		t.Errorf("the ranges are %q", got)
	}
}

// LOCKS P6: a recovery waits for whoever has the file open, and gives way to what he wrote.
// SEMANTICS G4, G5
func TestP7RecoveryWhileAnotherHolds(t *testing.T) {
	t.Parallel()
	for _, changes := range []bool{false, true} {
		name := map[bool]string{false: "unchanged", true: "changed"}[changes]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := suite.New(t)
			b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
			p := b.Proxy()
			one := b.Through(p.URL).Mount("one").Expect("recover|conflict|changed|held")
			two := b.Mount("two").Expect("dead")
			f := newFiles(e)
			f.mustPut(one.Path("f"), "old\n")
			crashWithClosed(e, one, p)
			g := newFiles(e)
			fd := g.mustOpen(two.Path("f"), unix.O_RDWR)
			one.Mount()
			time.Sleep(time.Second)
			if got := b.Content("f"); got != "old\n" {
				t.Errorf("recovered under another host's lease: %q", got)
			}
			want := "ours\n"
			if changes {
				want = "two\n"
				g.mustWrite(fd, 0, "two\n")
			}
			g.mustClose(fd)
			e.Eventually(30*time.Second, func() error { return equal(b.Content("f"), want) })
			if changes {
				e.Eventually(30*time.Second, func() error { return some(b.KeysBelow("f.conflict-one-"), "conflict file") })
				if got := b.Content(b.KeysBelow("f.conflict-one-")[0]); got != "ours\n" {
					t.Errorf("the conflict file has %q", got)
				}
			}
		})
	}
}

// A recovery races a foreign writer: whatever the order, what close was asked to save is a
// version or a conflict file, and every foreign version is there.
// SEMANTICS G1, G5
func TestP7RecoveryRacesForeignWriter(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one").Expect("recover|conflict|changed")
	newFiles(e).mustPut(h.Path("f"), "old\n")
	crashWithClosed(e, h, p)
	h.StartMount()
	ctx := e.Timeout(time.Minute)
	foreign := 0
	e.Eventually(30*time.Second, func() error {
		e.Must(b.S3.Put(ctx, "f", fmt.Sprintf("foreign %d\n", foreign)))
		foreign++
		if !strings.Contains(h.Log(), "recovered a dead session") {
			return some([]int{}, "recovery")
		}
		return nil
	})
	h.WaitMounted()
	ours := 0
	for _, v := range b.VersionsOf("f") {
		body, err := b.S3.Get(ctx, "f", v.ID)
		e.Must(err)
		switch {
		case strings.HasPrefix(string(body), "foreign "):
			foreign--
		case string(body) == "ours\n":
			ours++
		}
	}
	if foreign != 0 {
		t.Errorf("%d foreign versions are missing", foreign)
	}
	for _, key := range b.KeysBelow("f.conflict-one-") {
		if b.Content(key) == "ours\n" {
			ours++
		}
	}
	if ours != 1 {
		t.Errorf("ours is there %d times", ours)
	}
}

// LOCKS P7, S3 unreachable: reads of what is not cached end with EIO, and the mount goes on
// when the bucket is back. (Linux asks twice, once for more than was wanted, and each has
// the patience of a read.)
func TestSoakP7StoreUnreachableReads(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one").Expect("failed")
	f, g := newFiles(e), newFiles(e)
	big := strings.Repeat("0123456789abcde\n", 64<<10)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "big", big))
	fd := f.mustOpen(h.Path("big"), unix.O_RDONLY)
	p.Inject(all(harness.Refuse))
	read := f.begin(fileCall{Op: "read", FD: fd, N: 100})
	open := g.begin(fileCall{Op: "open", Path: h.Path("big"), Flags: unix.O_RDONLY})
	if _, err := f.within(2*time.Minute, read); err != unix.EIO {
		t.Errorf("read: %v, want EIO", err)
	}
	if _, err := g.within(2*time.Minute, open); err != unix.EIO {
		t.Errorf("open: %v, want EIO", err)
	}
	p.Inject(nil)
	if got := f.mustRead(fd, 0, 16); got != "0123456789abcde\n" {
		t.Errorf("reads %q", got)
	}
}
