package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// expiring is a bucket behind servers that say of a session token that it has expired, and a host with
// credentials of a file.
type expiring struct {
	*harness.Bucket
	file  string
	valid atomic.Pointer[string] // the token that is taken
}

func newExpiring(e *harness.Env, lock harness.Lock, times harness.Times) *expiring {
	b := e.Bucket(lock, times)
	x := &expiring{file: filepath.Join(e.Mkdir("aws"), "credentials")}
	x.Bucket = behind(b, func(r *http.Request) harness.Fault {
		if r.Header.Get("X-Amz-Security-Token") != *x.valid.Load() {
			return harness.Expired
		}
		return harness.Pass
	}, b.Server().Tokenless)
	x.take("one")
	x.write("one")
	return x
}

// take makes the servers take that token alone.
func (x *expiring) take(token string) { x.valid.Store(&token) }

// write puts a token into the file.
func (x *expiring) write(token string) {
	s := x.Server()
	x.Must(os.WriteFile(x.file, fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n",
		s.AccessKey, s.SecretKey, token), 0o600))
}

// environ names the file instead of keys.
func (x *expiring) environ() []string {
	return []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_SESSION_TOKEN=", "AWS_SHARED_CREDENTIALS_FILE=" + x.file}
}

// A token that expires is replaced by the one that is in the file by then, and no program notices. If
// that has expired, too, calls are EACCES at once, one line of the log says what to do, and what is
// closed meanwhile is saved once there is a new token.
// SEMANTICS G5
func TestExpiredToken(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]harness.Lock{"S3": harness.OnS3, "DynamoDB": harness.OnDynamoDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testExpiredToken(t, lock)
		})
	}
}

func testExpiredToken(t *testing.T, lock harness.Lock) {
	e := suite.New(t)
	x := newExpiring(e, lock, harness.Patient)
	h := x.Host("one", "--metadata-ttl", "0").Expect("credentials|heartbeat failed|EACCES|could not be saved|cannot be released")
	h.Env = x.environ()
	h.Mount()
	f := newFiles(e)
	f.mustPut(h.Path("f"), "one\n")
	x.take("two")
	x.write("two")
	f.mustPut(h.Path("f"), "two\n")
	if got := f.mustGet(h.Path("f")); got != "two\n" {
		t.Errorf("read %q", got)
	}
	if strings.Contains(h.Log(), "not valid") {
		t.Error("the log speaks of credentials that were replaced")
	}

	fd := f.mustOpen(h.Path("open"), unix.O_WRONLY|unix.O_CREAT)
	f.mustWrite(fd, 0, "written while there was no token\n")
	x.take("three")
	for what, call := range map[string]fileCall{
		"stat":           {Op: "lstat", Path: h.Path("f")},
		"open for read":  {Op: "open", Path: h.Path("f"), Flags: unix.O_RDONLY},
		"open for write": {Op: "open", Path: h.Path("f"), Flags: unix.O_WRONLY},
		"create":         {Op: "open", Path: h.Path("new"), Flags: unix.O_WRONLY | unix.O_CREAT},
		"unlink":         {Op: "unlink", Path: h.Path("f")},
		"rename":         {Op: "rename", Path: h.Path("f"), To: h.Path("g")},
		"mkdir":          {Op: "mkdir", Path: h.Path("dir")},
		"close":          {Op: "close", FD: fd},
	} {
		began := time.Now()
		if _, err := f.call(call); err != unix.EACCES {
			t.Errorf("%s: %v, want EACCES", what, err)
		}
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("%s: answered after %s", what, d)
		}
	}
	if n := strings.Count(h.Log(), "the credentials are not valid"); n != 1 || !h.Logs("put new ones into "+x.file) {
		t.Errorf("%d lines of the log speak of the token", n)
	}
	x.write("three")
	e.Eventually(20*time.Second, func() error {
		got, err := x.S3.Get(e.Timeout(time.Minute), "open", "")
		if err != nil {
			return err
		}
		return equal(string(got), "written while there was no token\n")
	})
	f.mustPut(h.Path("f"), "three\n")
	if got := x.Content("f"); got != "three\n" {
		t.Errorf("afterwards the file is %q", got)
	}
	h.Umount()
}

// Whoever closes a file when the token has expired for so long that the lease is not proved valid any
// more does not wait for that either.
func TestExpiredTokenAndLease(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	x := newExpiring(e, harness.OnDynamoDB, harness.Mortal)
	h := x.Host("one").Expect("credentials|heartbeat failed|EACCES|could not be saved|cannot be released")
	h.Env = x.environ()
	h.Mount()
	f := newFiles(e)
	fd := f.mustOpen(h.Path("f"), unix.O_WRONLY|unix.O_CREAT)
	f.mustWrite(fd, 0, "kept\n")
	x.take("two")
	time.Sleep(x.Times.Lease + x.Times.Beat)
	began := time.Now()
	if err := f.close(fd); err != unix.EACCES || time.Since(began) > 3*time.Second {
		t.Errorf("close: %v after %s, want EACCES at once", err, time.Since(began))
	}
	x.write("two")
	e.Eventually(20*time.Second, func() error {
		got, err := x.S3.Get(e.Timeout(time.Minute), "f", "")
		if err != nil {
			return err
		}
		return equal(string(got), "kept\n")
	})
}

// With a token that has expired init and mount say so at once, and what to do.
func TestExpiredTokenAtMount(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	x := newExpiring(e, harness.OnDynamoDB, harness.Patient)
	x.take("two")
	for _, args := range [][]string{x.InitArgs(), x.Host("one").MountArgs()} {
		cmd := x.Host("command").Command(args...)
		cmd.Env = append(cmd.Env, x.environ()...)
		began := time.Now()
		o := e.Start(cmd).Wait(time.Minute)
		if o.Code != 1 || !strings.Contains(o.Err, "expired") || !strings.Contains(o.Err, "put new ones into "+x.file) || time.Since(began) > 5*time.Second {
			t.Errorf("%s: exit code %d after %s, said %q", args[0], o.Code, time.Since(began), o.Err)
		}
	}
}
