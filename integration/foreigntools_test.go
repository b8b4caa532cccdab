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

// rclone gives a function that runs rclone, in the directory of the test, with BUCKET standing for
// the bucket. Uploads of 5 MiB and more go in parts.
func rclone(b *harness.Bucket) func(script string) harness.Output {
	s := b.Server()
	flags := strings.Join([]string{
		"--config /dev/null --retries 1 --low-level-retries 1 --s3-provider Other --s3-force-path-style --s3-upload-cutoff 5Mi --s3-chunk-size 5Mi",
		"--s3-endpoint", s.URL, "--s3-region", harness.Region, "--s3-access-key-id", s.AccessKey, "--s3-secret-access-key", s.SecretKey,
	}, " ")
	return func(script string) harness.Output {
		b.Helper()
		return b.TrySh(b.Dir, "export TZ=UTC; rclone "+flags+" "+strings.ReplaceAll(script, "BUCKET", ":s3:"+b.Name))
	}
}

// must gives a run of a program that has to succeed.
func must(b *harness.Bucket, run func(string) harness.Output) func(string) string {
	return func(script string) string {
		b.Helper()
		o := run(script)
		if o.Code != 0 {
			b.Fatalf("%s: exit code %d\n%s%s", script, o.Code, o.Out, o.Err)
		}
		return o.Out
	}
}

// rclone keeps an MD5 of what it uploads in parts, and refuses a download of other bytes. A file
// that the mount has rewritten since is downloaded as it is.
// SEMANTICS G9
func TestRcloneDownloadsWhatTheMountRewrote(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one", "--metadata-ttl", "0")
	run := rclone(b)
	do := must(b, run)
	e.Sh(e.Dir, "head -c 6M /dev/urandom > up")
	for name, script := range map[string]string{
		"byte":    "printf X | dd of=byte bs=1 seek=100 conv=notrunc status=none",
		"whole":   "head -c 6M /dev/zero > whole",
		"parts":   "head -c 12M /dev/zero > parts",
		"more":    "echo more >> more",
		"shorter": "truncate -s 3M shorter",
	} {
		do("copyto up BUCKET/" + name)
		if head, err := b.S3.Head(e.Timeout(time.Minute), name); err != nil || head.Metadata["md5chksum"] == "" {
			t.Fatalf("rclone left no MD5: %v, %v", head.Metadata, err)
		}
		e.Sh(h.Mountpoint, "chmod 600 "+name+"; touch -d 2001-02-03 "+name)
		e.Sh(e.Dir, "rm -f down")
		do("copyto BUCKET/" + name + " down")
		e.Sh(e.Dir, "cmp up down")
		e.Sh(h.Mountpoint, script)
		if o := run("copyto BUCKET/" + name + " down"); o.Code != 0 {
			t.Errorf("%s: rclone refuses the file:\n%s", name, o.Err)
			continue
		}
		e.Sh(e.Dir, "cmp down "+h.Path(name))
	}
}

// rclone and a mount show each other's times.
// SEMANTICS Attributes and times
func TestRcloneTimesBothWays(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one", "--metadata-ttl", "0")
	do := must(b, rclone(b))
	e.Sh(e.Dir, "echo text > up; touch -d '2011-12-13 14:15:16.123456789 UTC' up")
	do("copyto up BUCKET/theirs")
	e.Sh(h.Mountpoint, "echo text > ours; chmod 640 ours")
	shown := func(name, want string) {
		t.Helper()
		e.Eventually(5*time.Second, func() error { // once the mount has quite closed the file
			return equal(e.Sh(h.Mountpoint, "TZ=UTC stat -c '%a %y' "+name), want+" +0000\n")
		})
	}
	listed := func(name, want string) {
		t.Helper()
		if got := strings.Join(strings.Fields(do("lsl BUCKET/" + name))[1:3], " "); got != want {
			t.Errorf("rclone lists %s of %s, want %s", name, got, want)
		}
	}
	shown("theirs", "644 2011-12-13 14:15:16.123456789")
	for name, mode := range map[string]string{"theirs": "644", "ours": "640"} {
		do("touch --timestamp 2001-02-03T04:05:06 BUCKET/" + name)
		shown(name, mode+" 2001-02-03 04:05:06.000000000")
		e.Sh(h.Mountpoint, "chmod 600 "+name)
		listed(name, "2001-02-03 04:05:06.000000000")
		e.Sh(h.Mountpoint, "touch -d '2007-08-09 10:11:12 UTC' "+name)
		listed(name, "2007-08-09 10:11:12.000000000")
		do("touch --timestamp 2002-02-03T04:05:06.25 BUCKET/" + name)
		shown(name, "600 2002-02-03 04:05:06.250000000")
		e.Sh(h.Mountpoint, "touch -d '2007-08-09 10:11:12.5 UTC' "+name)
		listed(name, "2007-08-09 10:11:12.500000000")
		do("touch --timestamp 2003-02-03T04:05:06.75 BUCKET/" + name)
		shown(name, "600 2003-02-03 04:05:06.750000000")
		e.Sh(h.Mountpoint, "mv "+name+" "+name+".moved")
		shown(name+".moved", "600 2003-02-03 04:05:06.750000000")
		listed(name+".moved", "2003-02-03 04:05:06.750000000")
		do("copyto BUCKET/" + name + ".moved BUCKET/" + name + ".copy") // by the server, with the metadata
		shown(name+".copy", "600 2003-02-03 04:05:06.750000000")
	}
}

// s3fsMount mounts the bucket by s3fs, which believes nothing for longer than it has to.
func s3fsMount(b *harness.Bucket) (dir string) {
	b.Helper()
	dir = b.Mkdir("s3fs")
	s := b.Server()
	keys := filepath.Join(b.Dir, "s3fs.keys")
	b.Must(os.WriteFile(keys, []byte(s.AccessKey+":"+s.SecretKey+"\n"), 0o600))
	cmd := exec.Command("s3fs", b.Name, dir, "-f", "-o", "url="+s.URL, "-o", "use_path_request_style", "-o", "endpoint="+harness.Region,
		"-o", "passwd_file="+keys, "-o", "max_stat_cache_size=0", "-o", "attr_timeout=0", "-o", "entry_timeout=0")
	cmd.Env = b.Environ()
	p := b.Start(cmd)
	b.Cleanup(func() { // before the Env looks for mounts that were left
		if err := unix.Unmount(dir, 0); err != nil {
			b.Errorf("unmounting s3fs: %v", err)
		}
		p.Wait(time.Minute)
	})
	b.Eventually(30*time.Second, func() error {
		select {
		case <-p.Done():
			o := p.Wait(time.Second)
			b.Fatalf("s3fs ended with %d: %s%s", o.Code, o.Out, o.Err)
		default:
		}
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err != nil || st.Type != unix.FUSE_SUPER_MAGIC {
			return fmt.Errorf("s3fs has not mounted: %v", err)
		}
		return nil
	})
	return dir
}

// s3fs and a mount show each other's modes, owners, times and bytes.
// SEMANTICS Attributes and times
func TestS3fsBothWays(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one", "--metadata-ttl", "0")
	s3fs := s3fsMount(b)
	const show = "TZ=UTC stat -c '%a %u %g %y' f; cat f"
	e.Sh(s3fs, "echo first > f; chmod 640 f; chown 1000:1001 f; touch -d '2011-12-13 14:15:16 UTC' f")
	for _, tt := range []struct{ where, script, want string }{
		{s3fs, "true", "640 1000 1001 2011-12-13 14:15:16.000000000 +0000\nfirst\n"},
		{h.Mountpoint, "chmod 600 f", "600 1000 1001 2011-12-13 14:15:16.000000000 +0000\nfirst\n"},
		{s3fs, "chmod 604 f", "604 1000 1001 2011-12-13 14:15:16.000000000 +0000\nfirst\n"},
		{h.Mountpoint, "chown 7:8 f", "604 7 8 2011-12-13 14:15:16.000000000 +0000\nfirst\n"},
		{s3fs, "chown 9:10 f", "604 9 10 2011-12-13 14:15:16.000000000 +0000\nfirst\n"},
		{h.Mountpoint, "touch -d '2001-02-03 04:05:06 UTC' f", "604 9 10 2001-02-03 04:05:06.000000000 +0000\nfirst\n"},
		{s3fs, "touch -d '2002-03-04 05:06:07 UTC' f", "604 9 10 2002-03-04 05:06:07.000000000 +0000\nfirst\n"},
		{h.Mountpoint, "echo second > f; touch -d '2003-03-04 05:06:07 UTC' f", "604 9 10 2003-03-04 05:06:07.000000000 +0000\nsecond\n"},
		{s3fs, "echo third > f; touch -d '2004-03-04 05:06:07 UTC' f", "604 9 10 2004-03-04 05:06:07.000000000 +0000\nthird\n"},
		{h.Mountpoint, "chmod 444 f", "444 9 10 2004-03-04 05:06:07.000000000 +0000\nthird\n"},
	} {
		e.Sh(tt.where, tt.script)
		for name, dir := range map[string]string{"s3fs": s3fs, "the mount": h.Mountpoint} {
			t.Logf("%s, after %q in %s", name, tt.script, filepath.Base(tt.where))
			e.Eventually(5*time.Second, func() error { return equal(e.Sh(dir, show), tt.want) })
		}
	}
	// What s3fs writes gets its own time in the mount too, not the one that stood there before.
	e.Sh(s3fs, "echo fourth > f")
	e.Eventually(5*time.Second, func() error { return equal(e.Sh(h.Mountpoint, "find f -newermt 2020-01-01; cat f"), "f\nfourth\n") })
}
