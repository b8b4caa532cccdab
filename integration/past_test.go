package integration

import (
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
	"github.com/latchfs/latchfs/internal/when"
)

// nextSecond waits until what is changed from now on has a later time than all before, and gives the
// last second of that.
func nextSecond() time.Time {
	at := time.Now().Truncate(time.Second)
	time.Sleep(time.Until(at.Add(time.Second + 20*time.Millisecond)))
	return at
}

// samePast fails the test if rsync finds a difference between two trees: names, types, contents, modes,
// owners, times and targets of symlinks; those of the times of directories apart.
func samePast(h *harness.Host, got, want string) {
	h.Helper()
	if diff := h.Sh(h.Mountpoint, "rsync -ainO --checksum --delete "+got+"/ "+want+"/"); diff != "" {
		h.Errorf("%s is not %s:\n%s", got, want, diff)
	}
	h.Sh(h.Mountpoint, "diff -r --no-dereference "+got+" "+want)
}

// A tree of the past is what the mount was then, for diff, rsync, cp and whoever knows Samba's form of a
// time; with what is deleted now and without what came later, and nobody changes it. A mount as of that time
// shows the same without a look at the lock table.
// SEMANTICS ".versions/"
func TestPastTree(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := sharedMount(b, "one").Expect("read-only")
	e.Sh(h.Mountpoint, `umask 022
		mkdir -p src/sub src/gone; echo one > src/f; echo two > src/sub/g; echo three > src/gone/h; : > src/empty
		ln -s sub/g src/link; chmod 750 src/sub; chmod 604 src/f; touch -d 2020-01-02T03:04:05.678 src/sub/g; chown 1000:1000 src/sub/g
		mv src/f src/moved; echo again > src/f; rm src/empty`)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "src/both", "object\n"))
	e.Must(b.S3.Put(e.Timeout(time.Minute), "src/both/x", "below\n"))
	time.Sleep(1100 * time.Millisecond) // --metadata-ttl
	then := e.Mkdir("then")
	e.Sh(h.Mountpoint, "rsync -a ./ "+then)
	at := nextSecond()
	e.Sh(h.Mountpoint, `rm -r src/both~file src/both src/gone src/link; echo changed > src/f; chmod 600 src/moved; echo new > src/new; mv src/sub/g src/sub/k`)

	view := ".versions/@/" + when.Path(at)
	samePast(h, view, then)
	samePast(h, "src/"+view, then+"/src")
	samePast(h, ".versions/src/"+view, then+"/src") // as a deleted directory is reached
	e.Sh(h.Mountpoint, "cp -a src/"+view+"/gone back; diff -r back "+then+"/src/gone; rm -r back")
	samba := strings.TrimSpace(e.Sh("/", "date -u -d "+at.Format(time.RFC3339)+" +%Y-%m-%dT%H.%M.%SZ"))
	if samba != when.Path(at) {
		t.Errorf("the form of shadow_copy2 is %s, ours %s", samba, when.Path(at))
	}
	if got := e.Sh(h.Mountpoint, "ls -A .versions/@/2h"); got != "" {
		t.Errorf("two hours ago there was %q", got)
	}
	link := strings.TrimSpace(e.Sh(h.Mountpoint, "readlink .versions/@/2h"))
	if ago, err := when.Parse(link, time.Now(), time.UTC); err != nil || (time.Since(ago)-2*time.Hour).Abs() > 10*time.Minute {
		t.Errorf("2h leads to %s, %v", link, err)
	}
	if n := len(strings.Fields(e.Sh(h.Mountpoint, "ls .versions/@"))); n < 100 || n > 120 {
		t.Errorf("%d times are listed", n)
	}
	if got := e.Sh(h.Mountpoint, "ls -a .versions"); strings.Contains(got, "@") {
		t.Errorf(".versions lists %q", got)
	}

	f := newFiles(e)
	for _, c := range []fileCall{
		{Op: "open", Path: h.Path(view, "src/f"), Flags: unix.O_WRONLY},
		{Op: "open", Path: h.Path(view, "new"), Flags: unix.O_WRONLY | unix.O_CREAT},
		{Op: "truncate", Path: h.Path(view, "src/f")},
		{Op: "chmod", Path: h.Path(view, "src/f"), N: 0o600},
		{Op: "unlink", Path: h.Path(view, "src/f")},
		{Op: "rmdir", Path: h.Path(view, "src/gone")},
		{Op: "mkdir", Path: h.Path(view, "new")},
		{Op: "rename", Path: h.Path(view, "src/f"), To: h.Path("src/f")},
	} {
		if _, err := f.call(c); err != unix.EROFS {
			t.Errorf("%s of the past: %v, want EROFS", c.Op, err)
		}
	}

	// Another user reads what he may read now and might read then.
	other := newFilesAs(e, bob)
	other.reads(h.Path(view, "src/f"), "again\n")
	other.refused("open", h.Path(view, "src/moved"))
	other.refused("stat", h.Path(view, "src/sub/g"))
	e.Sh(h.Mountpoint, "chmod 700 src")
	other.refused("open", h.Path(view, "src/f"))
	other.refused("list", h.Path(view, "src"))

	// All of the bucket as of that time.
	objects, locks := b.Proxy(), b.LockProxy()
	asOf := b.Through(objects.URL).LocksThrough(locks.URL).Mount("two", "--as-of", when.Path(at)).Expect("read-only")
	samePast(asOf, ".", then)
	if _, err := f.call(fileCall{Op: "open", Path: asOf.Path("src/f"), Flags: unix.O_WRONLY}); err != unix.EROFS {
		t.Errorf("a file in a mount as of a time is opened for write: %v", err)
	}
	if _, err := f.call(fileCall{Op: "stat", Path: asOf.Path(".versions")}); err != unix.ENOENT {
		t.Errorf(".versions in a mount as of a time: %v", err)
	}
	asOf.Umount()
	if n := len(locks.Seen(func(harness.Request) bool { return true })); n > 0 {
		t.Errorf("%d requests to the lock table", n)
	}
	for _, r := range objects.Seen(func(r harness.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }) {
		t.Errorf("%s %s?%s", r.Method, r.Path, r.Query)
	}
}

// Walking through a tree of the past asks for one page of versions, and the grid for nothing.
func TestPastRequests(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	writer := b.Mount("one")
	e.Sh(writer.Mountpoint, "for d in 1 2 3 4 5 6; do mkdir -p d$d/e; for f in 1 2 3 4 5; do echo $f > d$d/f$f; echo $f > d$d/e/g$f; done; done; rm -r d6")
	at := nextSecond()
	p := b.Proxy()
	h := b.Through(p.URL).Mount("two", "--read-only")
	listings := func() int {
		return len(p.Seen(func(r harness.Request) bool {
			return strings.Contains(r.Query, "versions=") || strings.HasSuffix(r.Query, "versions")
		}))
	}
	e.Sh(h.Mountpoint, "ls .versions/@ > /dev/null")
	if n := listings(); n != 0 {
		t.Errorf("%d listings of versions for the times", n)
	}
	if n := len(strings.Fields(e.Sh(path.Join(h.Mountpoint, ".versions/@", when.Path(at)), "find . -type f -size +0"))); n != 50 {
		t.Errorf("%d files", n)
	}
	if n := listings(); n != 1 {
		t.Errorf("%d listings of versions for a tree of 50 files", n)
	}
}

// A bucket without versions has no past, and says so in one line.
func TestAsOfNeedsVersions(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.NoBucket(harness.OnS3, harness.Patient)
	createPlain(e, b)
	if o := tryMount(b, "--as-of", "2h"); o.Code != 1 || !oneLine(o.Err) || !strings.Contains(o.Err, "keeps no versions") {
		t.Errorf("exit code %d, %q", o.Code, o.Err)
	}
}
