package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// What foreign objects and directories look like is the mount's to say.
func TestFlagsDefaultsOfForeignObjects(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "d/f", "x\n"))
	h := b.Mount("one", "--uid", "1234", "--gid", "2345", "--file-mode", "0666", "--dir-mode", "0777", "--umask", "0027")
	if got, want := e.Sh(h.Mountpoint, "stat -c '%u %g %a' d d/f"), "1234 2345 750\n1234 2345 640\n"; got != want {
		t.Errorf("owners and modes are %q, want %q", got, want)
	}
}

// A read-only mount reads, refuses every change, and needs no lock table and no binding.
func TestFlagsReadOnly(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.NoBucket(harness.OnS3, harness.Patient)
	createPlain(e, b)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", "x\n"))
	h := b.Mount("one", "--read-only").Expect("version|read-only")
	f := newFiles(e)
	if got := f.mustGet(h.Path("f")); got != "x\n" {
		t.Errorf("reads %q", got)
	}
	for _, c := range []fileCall{
		{Op: "open", Path: h.Path("f"), Flags: unix.O_WRONLY},
		{Op: "open", Path: h.Path("g"), Flags: unix.O_WRONLY | unix.O_CREAT},
		{Op: "unlink", Path: h.Path("f")},
		{Op: "mkdir", Path: h.Path("d")},
		{Op: "rename", Path: h.Path("f"), To: h.Path("g")},
	} {
		if _, err := f.call(c); err != unix.EROFS {
			t.Errorf("%s: %v, want EROFS", c.Op, err)
		}
	}
	if keys := b.KeysBelow(""); strings.Join(keys, " ") != "f" {
		t.Errorf("the bucket has %q", keys)
	}
}

// A prefix is a file system of its own, whose locks are still those of the bucket.
func TestFlagsPrefix(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	whole := b.Mount("one")
	part := b.Host("two")
	part.Prefix = "team/a/"
	part.Mount()
	e.Sh(whole.Mountpoint, "mkdir -p team/a; echo 1 > team/a/f; echo 2 > top")
	f, g := newFiles(e), newFiles(e)
	e.Eventually(5*time.Second, func() error { return equal(e.Sh(part.Mountpoint, "ls"), "f\n") })
	fd := f.mustOpen(whole.Path("team/a/f"), unix.O_RDWR)
	f.mustWrite(fd, 0, "3\n")
	waiting := g.begin(fileCall{Op: "open", Path: part.Path("f"), Flags: unix.O_RDWR})
	select {
	case r := <-waiting:
		t.Errorf("the mount of the prefix did not wait for the other one: %+v", r)
	case <-time.After(time.Second):
		f.mustClose(fd)
		r, err := g.within(30*time.Second, waiting)
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		if got := g.mustRead(r.N, 0, 10); got != "3\n" {
			t.Errorf("reads %q", got)
		}
		g.mustClose(r.N)
	}
	if got := b.KeysBelow("team/a/f"); len(got) != 1 {
		t.Errorf("keys %q", got)
	}
}

// The endpoints of the environment are used where no flag names others.
func TestFlagsEndpointsFromEnvironment(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	h := b.Host("one")
	h.ByEnvironment = true
	h.Mount()
	if got := e.Sh(h.Mountpoint, "echo x > f; cat f"); got != "x\n" {
		t.Errorf("cat says %q", got)
	}
	if got := b.Content("f"); got != "x\n" {
		t.Errorf("the bucket has %q", got)
	}
}

// Region and credentials come from the profile that is named, for the bucket and for its
// lock table, whatever keys the environment has.
func TestFlagsProfile(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	aws := e.Mkdir("home/.aws")
	s := b.Server()
	e.Must(os.WriteFile(filepath.Join(aws, "config"), []byte("[profile p]\nregion = "+harness.Region+"\n"), 0o600))
	e.Must(os.WriteFile(filepath.Join(aws, "credentials"), fmt.Appendf(nil, "[p]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s.AccessKey, s.SecretKey), 0o600))
	p, locks := b.Proxy(), b.LockProxy()
	program, err := suite.Latchfs()
	e.Must(err)
	cmd := exec.Command(program, "init", "--profile", "p", "--force-path-style",
		"--endpoint-url", p.URL, "--dynamodb-endpoint-url", locks.URL, b.Source())
	cmd.Env = append(e.Environ(), "AWS_ACCESS_KEY_ID=AKIANOBODY", "AWS_SECRET_ACCESS_KEY=wrong")
	if o := e.Start(cmd).Wait(time.Minute); o.Code != 0 || !strings.Contains(o.Out, "already") {
		t.Errorf("init with a profile: exit code %d, %q, %q", o.Code, o.Out, o.Err)
	}
	for name, proxy := range map[string]*harness.Proxy{"bucket": p, "lock table": locks} {
		seen := proxy.Seen(func(harness.Request) bool { return true })
		if len(seen) == 0 {
			t.Errorf("%s: nothing was asked", name)
		}
		for _, q := range seen {
			if a := q.Header.Get("Authorization"); !strings.Contains(a, "Credential="+s.AccessKey+"/") || !strings.Contains(a, "/"+harness.Region+"/") {
				t.Errorf("%s: %s %s is signed by %q", name, q.Method, q.Path, a)
			}
		}
	}
}

// init says what it did, does nothing twice, asks before it changes what exists.
func TestInit(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.NoBucket(harness.OnDynamoDB, harness.Patient)
	first := b.Latchfs(b.InitArgs()...)
	if first.Code != 0 || first.Err != "" || !strings.Contains(first.Out, b.Name) {
		t.Fatalf("init: exit code %d, %q, %q", first.Code, first.Out, first.Err)
	}
	before := b.Content(".latchfs/bucket.json")
	again := b.Latchfs(b.InitArgs()...)
	if again.Code != 0 || again.Err != "" || again.Out == first.Out {
		t.Errorf("init again: exit code %d, %q, %q", again.Code, again.Out, again.Err)
	}
	if got := b.Content(".latchfs/bucket.json"); got != before {
		t.Errorf("init again changed the binding from %s to %s", before, got)
	}

	plain := e.NoBucket(harness.OnDynamoDB, harness.Patient)
	createPlain(e, plain)
	if o := plain.Latchfs(plain.InitArgs()...); o.Code == 0 || !strings.Contains(o.Err, "--yes") {
		t.Errorf("init of an unversioned bucket: exit code %d, %q, %q, want a refusal that names --yes", o.Code, o.Out, o.Err)
	}
	args := plain.InitArgs()
	args = append([]string{args[0], "--yes"}, args[1:]...)
	if o := plain.Latchfs(args...); o.Code != 0 || !strings.Contains(o.Out, "15 minutes") {
		t.Errorf("init --yes: exit code %d, %q, %q", o.Code, o.Out, o.Err)
	}
	plain.Mount("one")
}

// Other users are let in only on request, and then by the permissions of the files.
func TestFlagsAllowOther(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	closed, open := b.Mount("one"), b.Mount("two", "--allow-other")
	e.Sh(open.Mountpoint, "echo x > f; echo secret > g; chmod 600 g")
	e.Sh(e.Suite.Root(), "chmod 755 . "+e.Dir) // the way to the mounts
	const nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups "
	if o := e.TrySh("/", nobody+"cat "+closed.Path("f")); o.Code == 0 || !strings.Contains(o.Err, "Permission denied") {
		t.Errorf("without the flag: exit code %d, %q %q", o.Code, o.Out, o.Err)
	}
	if got := e.Sh("/", nobody+"cat "+open.Path("f")); got != "x\n" {
		t.Errorf("with the flag cat says %q", got)
	}
	for _, refused := range []string{"cat " + open.Path("g"), "touch " + open.Path("new"), "rm -f " + open.Path("f")} {
		if o := e.TrySh("/", nobody+refused); o.Code == 0 || !strings.Contains(o.Err, "Permission denied") {
			t.Errorf("%s: exit code %d, %q", refused, o.Code, o.Err)
		}
	}
}

// Names and attributes are believed for the time that the flag gives; an open asks
// anew all the same.
func TestFlagsMetadataTTL(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	ctx := e.Timeout(time.Minute)
	e.Must(b.S3.Put(ctx, "f", "1\n"))
	long, brief := b.Mount("one", "--metadata-ttl", "1h"), b.Mount("two", "--metadata-ttl", "100ms")
	size := func(h *harness.Host) string { return strings.TrimSpace(e.Sh(h.Mountpoint, "stat -c %s f")) }
	if a, c := size(long), size(brief); a != "2" || c != "2" {
		t.Fatalf("sizes %s and %s", a, c)
	}
	e.Must(b.S3.Put(ctx, "f", "longer\n"))
	e.Eventually(5*time.Second, func() error { return equal(size(brief), "7") })
	if got := size(long); got != "2" {
		t.Errorf("with a TTL of an hour the size is %s", got)
	}
	if got := e.Sh(long.Mountpoint, "cat f"); got != "longer\n" {
		t.Errorf("an open sees %q", got)
	}
}

// With a time of 0 nothing is believed: what was absent is there, and what was there has its new
// size, as soon as another host's call has returned. SEMANTICS G2
func TestFlagsMetadataTTLZero(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	reader, writer := b.Mount("one", "--metadata-ttl", "0"), b.Mount("two")
	r, w := newFiles(e), newFiles(e)
	for i := range 10 {
		if _, err := r.call(fileCall{Op: "stat", Path: reader.Path("f")}); err != unix.ENOENT {
			t.Fatalf("round %d: stat of what is not there: %v", i, err)
		}
		if got, err := r.call(fileCall{Op: "list", Path: reader.Path()}); err != nil || len(got.Data) > 0 {
			t.Errorf("round %d: an empty directory shows %q, %v", i, got.Data, err)
		}
		for _, text := range []string{"a\n", "longer\n", "s"} {
			w.mustPut(writer.Path("f"), text)
			if got, err := r.call(fileCall{Op: "stat", Path: reader.Path("f")}); err != nil || got.N != len(text) {
				t.Errorf("round %d: stat shows %d bytes of %q, %v", i, got.N, text, err)
			}
			if got := r.mustGet(reader.Path("f")); got != text {
				t.Errorf("round %d: it reads %q, want %q", i, got, text)
			}
		}
		if got, err := r.call(fileCall{Op: "list", Path: reader.Path()}); err != nil || string(got.Data) != "f" {
			t.Errorf("round %d: the directory shows %q, %v", i, got.Data, err)
		}
		if _, err := w.call(fileCall{Op: "unlink", Path: writer.Path("f")}); err != nil {
			t.Fatalf("unlink: %v", err)
		}
	}
}

// Behind a host name that knows no bucket below it, the bucket's name is in the path.
func TestFlagsForcePathStyle(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	p := b.Proxy()
	h := b.Through(strings.Replace(p.URL, "127.0.0.1", "localhost", 1)).Mount("one") // with the flag, as all hosts of these tests
	e.Sh(h.Mountpoint, "echo x > f")
	for _, r := range p.Seen(func(harness.Request) bool { return true }) {
		if !strings.HasPrefix(r.Path, "/"+b.Name) {
			t.Errorf("%s %s does not name the bucket", r.Method, r.Path)
		}
	}
}

// The log holds what the level asks for, and nothing less important.
func TestFlagsLogLevel(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	for _, tt := range []struct {
		level      string
		has, lacks string
	}{
		{"debug", "level=DEBUG", "level=TRACE"},
		{"info", "level=INFO", "level=DEBUG"},
		{"error", "", "level="},
	} {
		h := b.Mount(tt.level, "--log-level", tt.level)
		e.Sh(h.Mountpoint, "echo x > "+tt.level)
		h.Umount()
		if log := h.Log(); !strings.Contains(log, tt.has) || strings.Contains(log, tt.lacks) {
			t.Errorf("at level %s the log is\n%s", tt.level, log)
		}
	}
}
