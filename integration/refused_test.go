package integration

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// What S3 refuses for good is said at once, with the errno of SEMANTICS, changes nothing,
// and keeps nobody from anything else.
func TestErrnosOfRefusals(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one", "--metadata-ttl", "100ms").Expect("EACCES|EPERM|EIO|archived|lock cannot be released")
	f := newFiles(e)
	locks := harness.NewClient(b.Server(), b.Name+"-locks")
	// put saves a file and waits until the mount is done with it. The kernel sends RELEASE some
	// time after close, and before that every call would go to a file that is open.
	put := func(name string) {
		t.Helper()
		f.mustPut(h.Path(name), "old\n")
		e.Eventually(time.Minute, func() error { return noLockHeld(e, locks) })
	}
	e.Sh(h.Mountpoint, "mkdir d")
	const w = unix.O_WRONLY
	for i, tt := range []struct {
		name   string
		fault  harness.Fault
		method string // of the requests on the key that are refused; "": all
		call   fileCall
		want   unix.Errno
	}{
		{"stat", harness.Denied, "", fileCall{Op: "lstat"}, unix.EACCES},
		{"open for read", harness.Denied, "", fileCall{Op: "open", Flags: unix.O_RDONLY}, unix.EACCES},
		{"open for write", harness.Denied, "", fileCall{Op: "open", Flags: w}, unix.EACCES},
		{"chmod", harness.Denied, "PUT", fileCall{Op: "chmod", N: 0o600}, unix.EACCES},
		{"truncate", harness.Denied, "PUT", fileCall{Op: "truncate", Off: 1}, unix.EACCES},
		{"unlink", harness.Denied, "DELETE", fileCall{Op: "unlink"}, unix.EACCES},
		{"unlink of what is held", harness.Held, "DELETE", fileCall{Op: "unlink"}, unix.EPERM},
		{"chmod of what is held", harness.Held, "PUT", fileCall{Op: "chmod", N: 0o600}, unix.EPERM},
		{"rename that may not read", harness.Denied, "", fileCall{Op: "rename"}, unix.EACCES},
		{"rename that may not delete", harness.Held, "DELETE", fileCall{Op: "rename"}, unix.EPERM},
		{"chmod of what is archived", harness.Archived, "PUT", fileCall{Op: "chmod", N: 0o600}, unix.EIO},
	} {
		name := "f" + string(rune('a'+i))
		put(name)
		tt.call.Path, tt.call.To = h.Path(name), h.Path("d", name)
		time.Sleep(200 * time.Millisecond) // until what is known of the name is old
		p.Inject(func(r *http.Request) harness.Fault {
			if strings.HasSuffix(r.URL.Path, "/"+name) && !strings.Contains(r.URL.Path, "-locks/") && (tt.method == "" || tt.method == r.Method) {
				return tt.fault
			}
			return harness.Pass
		})
		began := time.Now()
		if _, err := f.call(tt.call); err != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("%s: answered after %s", tt.name, d)
		}
		put("other")
		p.Inject(nil)
		if got := b.Content(name); got != "old\n" || len(b.VersionsOf(name)) != 1 {
			t.Errorf("%s: the file is %q, in %d versions", tt.name, got, len(b.VersionsOf(name)))
		}
		if err := f.put(h.Path(name), "new\n"); err != nil {
			t.Errorf("%s: a write afterwards: %v", tt.name, err)
		}
	}
	// The copy that a rename made before its delete was refused stays: both names are whole.
	if keys := b.KeysBelow("d/"); strings.Join(keys, " ") != "d/ d/fj" || b.Content("d/fj") != "old\n" {
		t.Errorf("renames that were refused left %q", keys)
	}
	p.Inject(func(r *http.Request) harness.Fault {
		if r.Method == "PUT" && strings.HasSuffix(r.URL.Path, "/new/") {
			return harness.Denied
		}
		return harness.Pass
	})
	if _, err := f.call(fileCall{Op: "mkdir", Path: h.Path("new")}); err != unix.EACCES {
		t.Errorf("mkdir: %v, want EACCES", err)
	}
	put("other")
	p.Inject(func(r *http.Request) harness.Fault {
		if harness.Mutation(r) && strings.Contains(r.URL.Path, "-locks/") {
			return harness.Denied
		}
		return harness.Pass
	})
	if _, err := f.open(h.Path("other"), w); err != unix.EACCES {
		t.Errorf("open without a right to the lock table: %v, want EACCES", err)
	}
	p.Inject(nil)
	f.mustPut(h.Path("other"), "new\n")
	h.Umount() // nothing remains in the spool
}

// noLockHeld fails if a record in the bucket of a lock table names a holder.
func noLockHeld(e *harness.Env, table *harness.Client) error {
	ctx := e.Timeout(time.Minute)
	keys, err := table.Keys(ctx, "v1/lock/")
	for _, key := range keys {
		var record []byte
		if record, err = table.Get(ctx, key, ""); err == nil && bytes.Contains(record, []byte(`"nonce"`)) {
			err = fmt.Errorf("the lock %s is held", record)
		}
		if err != nil {
			break
		}
	}
	return err
}

// A close that the bucket refuses says so, leaves the bucket as it is and others free to
// write; the bytes stay in the spool, are named at the end, and the next mount finds them.
// SEMANTICS G5
func TestRefusedCloseKeepsData(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one").Expect("EACCES|not in the bucket|recover|conflict|changed")
	f := newFiles(e)
	for _, name := range []string{"mine", "theirs"} {
		f.mustPut(h.Path(name), "old\n")
		fd := f.mustOpen(h.Path(name), unix.O_WRONLY|unix.O_TRUNC)
		f.mustWrite(fd, 0, "refused "+name+"\n")
		p.Inject(on("/"+name, harness.Denied))
		if err := f.close(fd); err != unix.EACCES {
			t.Errorf("close: %v, want EACCES", err)
		}
	}
	if got := f.mustGet(h.Path("mine")); got != "old\n" {
		t.Errorf("the mount reads %q", got)
	}
	p.Inject(nil)
	f.mustPut(b.Mount("two").Path("theirs"), "two\n") // nobody waits for what was refused
	h.Signal(unix.SIGTERM)
	if o := h.WaitEnd(30 * time.Second); o.Code != 3 || !strings.Contains(o.Err, "mine") || !strings.Contains(o.Err, "theirs") {
		t.Errorf("exit code %d, want 3 and both names in\n%s", o.Code, o.Err)
	}
	h.Mount()
	e.Eventually(30*time.Second, func() error {
		if err := equal(b.Content("mine"), "refused mine\n"); err != nil {
			return err
		}
		return some(b.KeysBelow("theirs.conflict-one-"), "conflict file")
	})
	if got := b.Content(b.KeysBelow("theirs.conflict-one-")[0]); got != "refused theirs\n" || b.Content("theirs") != "two\n" {
		t.Errorf("kept %q, the file is %q", got, b.Content("theirs"))
	}
}

// An object in Glacier that is not restored: read fails with EIO, and the log says why.
func TestArchivedObject(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", "cold\n"))
	p := b.Proxy()
	p.Alter(func(r *http.Response) {
		if r.Request.Method == http.MethodHead && strings.HasSuffix(r.Request.URL.Path, "/f") {
			r.Header.Set("X-Amz-Storage-Class", "GLACIER")
		}
	})
	p.Inject(func(r *http.Request) harness.Fault {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/f") {
			return harness.Archived
		}
		return harness.Pass
	})
	h := b.Through(p.URL).Mount("one").Expect("GLACIER")
	f := newFiles(e)
	fd := f.mustOpen(h.Path("f"), unix.O_RDONLY)
	if _, err := f.read(fd, 0, 10); err != unix.EIO {
		t.Errorf("read: %v, want EIO", err)
	}
	f.close(fd)
	if !h.Logs("GLACIER") {
		t.Error("no line of the log names the storage class")
	}
}

// On a bucket without versions a file that changes under its reader ends the read with
// ESTALE, whatever replaced it: never a byte of another version.
// SEMANTICS G3
func TestG3UnversionedReaderOfWhatChanged(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	_, err := b.S3.PutBucketVersioning(e.Timeout(time.Minute), &s3.PutBucketVersioningInput{Bucket: &b.Name,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended}})
	e.Must(err)
	const size = 16 << 20
	h := b.Mount("one").Expect("versions|ESTALE")
	f := newFiles(e)
	for _, tt := range []struct {
		name   string
		change func(key string) error
	}{
		{"replaced", func(key string) error { return b.S3.Put(e.Timeout(time.Minute), key, strings.Repeat("n", size)) }},
		{"deleted", func(key string) error { return b.S3.Delete(e.Timeout(time.Minute), key) }},
	} {
		e.Must(b.S3.Put(e.Timeout(time.Minute), tt.name, strings.Repeat("o", size)))
		fd := f.mustOpen(h.Path(tt.name), unix.O_RDONLY)
		if got := f.mustRead(fd, 0, 4096); got != strings.Repeat("o", 4096) {
			t.Fatalf("%s: the first page is %.20q", tt.name, got)
		}
		e.Must(tt.change(tt.name))
		if got, err := f.read(fd, size-4096, 4096); err != unix.ESTALE {
			t.Errorf("%s: read: %.20q, %v, want ESTALE", tt.name, got, err)
		}
		f.close(fd)
	}
	if got := f.mustGet(h.Path("replaced")); got != strings.Repeat("n", 1<<20) {
		t.Errorf("a new open reads %.20q", got)
	}
}

// What cannot be an object is refused before a byte is accepted: a size over the limit, and
// metadata that leave no room for ours.
func TestErrnosOfLimits(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	_, err := b.S3.PutObject(e.Timeout(time.Minute), &s3.PutObjectInput{Bucket: &b.Name, Key: aws.String("full"),
		Body: strings.NewReader("x\n"), Metadata: map[string]string{"note": strings.Repeat("n", 2000)}})
	e.Must(err)
	h := b.Mount("one").Expect("EFBIG|ENOSPC")
	f := newFiles(e)
	f.mustPut(h.Path("f"), "f\n")
	fd := f.mustOpen(h.Path("f"), unix.O_RDWR)
	const tooLarge = 5<<40 + 1 // S3's limit is 5 TiB
	for _, tt := range []struct {
		name string
		call fileCall
		want unix.Errno
	}{
		{"ftruncate", fileCall{Op: "ftruncate", FD: fd, Off: tooLarge}, unix.EFBIG},
		{"truncate", fileCall{Op: "truncate", Path: h.Path("f"), Off: tooLarge}, unix.EFBIG},
		{"write", fileCall{Op: "write", FD: fd, Off: tooLarge - 1, Data: []byte("x")}, unix.EFBIG},
		{"open for write without room in the metadata", fileCall{Op: "open", Path: h.Path("full"), Flags: unix.O_WRONLY}, unix.ENOSPC},
		{"chmod without room", fileCall{Op: "chmod", Path: h.Path("full"), N: 0o600}, unix.ENOSPC},
		{"rename without room", fileCall{Op: "rename", Path: h.Path("full"), To: h.Path("g")}, unix.ENOSPC},
	} {
		if _, err := f.call(tt.call); err != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	f.mustClose(fd)
	if got := f.mustGet(h.Path("f")) + f.mustGet(h.Path("full")); got != "f\nx\n" {
		t.Errorf("the files are %q", got)
	}
	if n := len(b.VersionsOf("f")) + len(b.VersionsOf("full")); n != 2 {
		t.Errorf("%d versions, want 2", n)
	}
	if _, err := f.call(fileCall{Op: "unlink", Path: h.Path("full")}); err != nil {
		t.Errorf("unlink: %v", err)
	}
}
