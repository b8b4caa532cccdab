package integration

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// Programs such as ls and cp ask each file for attributes that none has: the answer comes
// without a request. What would set one says so.
func TestXattrNoRequest(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one", "--metadata-ttl", "1h").Expect("not supported|cannot be set|ENOTSUP")
	e.Sh(h.Mountpoint, "echo x > f; mkdir d; ln -s f l")
	e.Sh(h.Mountpoint, "stat f d l .versions/f > /dev/null") // what follows finds the names known
	f := newFiles(e)
	all := func(harness.Request) bool { return true }
	before := len(p.Seen(all))
	for _, name := range []string{"f", "d", "l", ".", ".versions/f"} {
		for _, tt := range []struct {
			call fileCall
			want unix.Errno
		}{
			{fileCall{Op: "getxattr", To: "user.none"}, unix.ENODATA},
			{fileCall{Op: "getxattr", To: "security.selinux"}, unix.ENODATA},
			{fileCall{Op: "getxattr", To: "security.capability"}, unix.ENODATA},
			{fileCall{Op: "getxattr", To: "system.posix_acl_access"}, unix.ENOTSUP},
			{fileCall{Op: "setxattr", To: "system.posix_acl_access", Data: []byte("\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x04\x00\x04\x00\xff\xff\xff\xff\x20\x00\x04\x00\xff\xff\xff\xff")}, unix.ENOTSUP},
			{fileCall{Op: "setxattr", To: "security.selinux", Data: []byte("x")}, unix.ENOTSUP},
			{fileCall{Op: "listxattr"}, 0},
		} {
			if name == ".versions/f" && tt.call.Op == "setxattr" {
				tt.want = unix.EROFS
			}
			tt.call.Path = h.Path(name)
			if r := <-f.begin(tt.call); r.Errno != tt.want || r.Errno == 0 && r.N != 0 {
				t.Errorf("%s of %s on %s: %v, %d bytes; want %v", tt.call.Op, tt.call.To, name, r.Errno, r.N, tt.want)
			}
		}
	}
	if seen := p.Seen(all)[before:]; len(seen) > 0 {
		t.Errorf("requests were sent: %+v", seen)
	}
}
