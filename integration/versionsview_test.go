package integration

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// purge removes a version for good, as another tool does.
func purge(b *harness.Bucket, key, version string) {
	b.Helper()
	_, err := b.S3.DeleteObject(b.Timeout(time.Minute), &s3.DeleteObjectInput{Bucket: &b.Name, Key: &key, VersionId: &version})
	b.Must(err)
}

// Names of versions have no colon and keep the file's suffix; programs take them, aliases lead to
// them, and one that was read goes on to name its version after older ones were removed for good, and
// while another host saves the file.
// SEMANTICS ".versions/"
func TestVersionsAreFoundByTheirNames(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := sharedMount(b, "one")
	two := b.Mount("two")
	f := newFiles(e)
	e.Sh(h.Mountpoint, `mkdir d; cd d; for i in 1 2 3; do echo version $i > notes.txt; done; chmod 751 notes.txt
		touch -d 2001-02-03T04:05:06Z notes.txt; echo x > ends; rm ends; mkdir .git; echo h > HEAD; long=$(printf %251s | tr ' ' n).txt; echo l > $long`)
	names := strings.Fields(e.Sh(h.Mountpoint, "ls d/.versions/notes.txt"))
	if len(names) != 5 {
		t.Fatalf("%q", names)
	}
	for i, mark := range []string{"", "", "", "~meta", "~meta"} {
		form := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\dZ\.\d{3}~[^~]+` + mark + `\.txt$`)
		if !form.MatchString(names[i]) {
			t.Errorf("%s is not as %s", names[i], form)
		}
	}
	if got := e.Sh(h.Mountpoint, "cat d/.versions/n*n.txt/*.txt; ls d/.versions/ends"); !strings.HasPrefix(got, "l\n") || !strings.HasSuffix(got, "~deleted\n") {
		t.Errorf("the file with the longest name, and what was removed: %q", got)
	}
	// As time and owner of its time say; the number is its own, that of readdir too.
	if got, want := e.Sh(h.Mountpoint, "cd d/.versions/notes.txt; stat -c '%a %Y' "+names[4]+"; stat -c %a "+names[0]), "551 981173106\n444\n"; got != want {
		t.Errorf("attributes: %q, want %q", got, want)
	}
	if got := e.Sh(h.Mountpoint, "cd d; (stat -c %i notes.txt .versions/notes.txt/*; ls -i notes.txt) | awk '{print $1}' | sort | uniq -c | awk '{print $1}' | sort | uniq -c | awk '{print $1, $2}'"); got != "5 1\n1 2\n" {
		t.Errorf("numbers of the file and its versions: %q", got)
	}
	e.Sh(h.Mountpoint, `cd d/.versions/notes.txt; test "$(ls -i | awk '{print $1, $2}')" = "$(stat -c '%i %n' *)"`)
	// What takes x:y for a host takes these.
	e.Sh(h.Mountpoint, fmt.Sprintf(`cd d/.versions/notes.txt; rsync %[1]s ../../by-rsync; tar -cf %[2]s/by.tar %[1]s; cd ../..; tar -xOf %[2]s/by.tar > by-tar
		cp -a .versions/notes.txt/%[1]s by-cp; cmp by-rsync by-cp; cmp by-tar by-cp`, names[1], b.Dir))

	target := strings.TrimSpace(e.Sh(h.Mountpoint, "readlink d/.versions/notes.txt/@first"))
	if target != names[0] {
		t.Errorf("@first -> %s, want %s", target, names[0])
	}
	if got, want := e.Sh(h.Mountpoint, "cd d/.versions/notes.txt; cat @first @prev @~2 @0s; cat @1h || echo none; ls | grep -c @ || true"), "version 1\n"+strings.Repeat("version 3\n", 3)+"none\n0\n"; got != want {
		t.Errorf("aliases read %q, want %q", got, want)
	}
	// This host's next version counts at once, the other one's once the time is over.
	e.Sh(h.Mountpoint, "echo version 4 > d/notes.txt; test $(cat d/.versions/notes.txt/@0s | tail -c 2) = 4; ls d/.versions/notes.txt | wc -l | grep -qx 6")
	fd := f.mustOpen(h.Path("d/.versions/notes.txt", names[2]), unix.O_RDONLY)
	e.Sh(two.Mountpoint, "echo version 5 > d/notes.txt")
	e.Eventually(5*time.Second, func() error {
		if got := e.Sh(h.Mountpoint, "cat d/.versions/notes.txt/@0s"); got != "version 5\n" {
			return fmt.Errorf("the newest reads %q", got)
		}
		return nil
	})
	versions := b.VersionsOf("d/notes.txt")
	for _, v := range versions[:2] {
		purge(b, "d/notes.txt", v.ID)
	}
	if got := f.mustRead(fd, 0, 100); got != "version 3\n" {
		t.Errorf("the open version reads %q", got)
	}
	for _, name := range names[2:] {
		if got := f.mustGet(h.Path("d/.versions/notes.txt", name)); got != "version 3\n" {
			t.Errorf("after a purge %s reads %q", name, got)
		}
	}
	e.Eventually(5*time.Second, func() error {
		for _, name := range names[:2] {
			if _, err := f.get(h.Path("d/.versions/notes.txt", name)); err != unix.ENOENT {
				return fmt.Errorf("the removed %s: %v", name, err)
			}
		}
		return nil
	})
	if got := strings.Fields(e.Sh(h.Mountpoint, "ls d/.versions/notes.txt")); len(got) != 5 || strings.Contains(got[0], "~meta") {
		t.Errorf("after a purge there are %q", got)
	}
	// Who has a version open that is removed for good gets no other bytes.
	fd = f.mustOpen(h.Path("d/.versions/notes.txt", strings.TrimSpace(e.Sh(h.Mountpoint, "readlink d/.versions/notes.txt/@prev"))), unix.O_RDONLY)
	purge(b, "d/notes.txt", versions[5].ID)
	if r, err := f.call(fileCall{Op: "read", FD: fd, N: 100}); string(r.Data) != "version 4\n" && err != unix.ESTALE {
		t.Errorf("the removed version reads %q, %v", r.Data, err)
	}
	f.mustClose(fd)
}

// The attributes user.latchfs.* say what is in the bucket, to those alone who may read the file; no
// copy takes them along, and nobody sets them.
// SEMANTICS Metadata
func TestOwnAttributes(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	h := sharedMount(b, "one").Expect("cannot be set")
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", "foreign\n"))
	e.Sh(h.Mountpoint, "echo ours > f; umask 077; echo mine > private; chown 1000:1000 private")
	f, owner, other := newFiles(e), newFilesAs(e, alice), newFilesAs(e, bob)
	get := func(f *files, path, name string) string {
		r, err := f.call(fileCall{Op: "getxattr", Path: h.Path(path), To: "user.latchfs." + name})
		if err != nil {
			return err.Error()
		}
		return string(r.Data)
	}
	versions, names := b.VersionsOf("f"), strings.Fields(e.Sh(h.Mountpoint, "ls .versions/f"))
	none := unix.ENODATA.Error()
	for _, tt := range [][3]string{
		{"f", "version-id", versions[1].ID}, {"f", "etag", strings.Trim(versions[1].ETag, `"`)}, {"f", "storage-class", "STANDARD"}, {"f", "host", "one"},
		{"f", "retention", none}, {".", "etag", none},
		{".versions/f/" + names[0], "version-id", versions[0].ID}, {".versions/f/" + names[0], "host", none},
		{".versions/f/" + names[1], "version-id", versions[1].ID}, {".versions/f/" + names[1], "host", "one"}, {".versions/f/" + names[1], "lock", none},
	} {
		if got := get(f, tt[0], tt[1]); got != tt[2] {
			t.Errorf("%s of %s is %q, want %q", tt[1], tt[0], got, tt[2])
		}
	}
	private := ".versions/private/" + strings.Fields(e.Sh(h.Mountpoint, "ls .versions/private"))[1]
	for _, path := range []string{"private", private} {
		if got := get(other, path, "etag"); got != unix.EACCES.Error() {
			t.Errorf("another user reads of %s: %q", path, got)
		}
		if got := get(owner, path, "host"); got != "one" {
			t.Errorf("the owner reads of %s: %q", path, got)
		}
	}
	fd := f.mustOpen(h.Path("f"), unix.O_WRONLY)
	if got := get(f, "f", "lock"); !strings.HasPrefix(got, "one (") {
		t.Errorf("the file that is open for write is locked by %q", got)
	}
	f.mustClose(fd)
	for _, path := range []string{"f", ".", ".versions/f/" + names[0]} {
		if _, err := f.call(fileCall{Op: "setxattr", Path: h.Path(path), To: "user.latchfs.etag", Data: []byte("x")}); err != unix.EPERM {
			t.Errorf("set on %s: %v", path, err)
		}
		if r, err := f.call(fileCall{Op: "listxattr", Path: h.Path(path)}); err != nil || r.N != 0 {
			t.Errorf("%s lists %d bytes, %v", path, r.N, err)
		}
	}
	if o := e.Sh(h.Mountpoint, "cp -a f copy; cp -a .versions/f/"+names[0]+" old; rsync -aX f by-rsync; cat copy old by-rsync"); o != "ours\nforeign\nours\n" {
		t.Errorf("copies read %q", o)
	}
}

// A mount lists its view if it is told to, by the name that it is given; a key of that name stays
// hidden, and doctor says so. Without a view the name is a key's.
func TestFlagsOfTheView(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	for _, key := range []string{"d/f.txt", "d/.history/key", "d/.versions/key"} {
		e.Must(b.S3.Put(e.Timeout(time.Minute), key, "x\n"))
	}
	h := b.Mount("one", "-o", "show_versions,versions_dir=.history").Expect("not permitted|read-only")
	if got, want := e.Sh(h.Mountpoint, "find . -path ./.history -prune -o -print | sed -E 's/2[0-9]{3}-[^~]*~[0-9a-f]*/ID/' | sort | tr '\n' ' '; cat d/.history/f.txt/*"), "."+
		" ./d ./d/.history ./d/.history/.versions ./d/.history/.versions/.history ./d/.history/.versions/.history/key ./d/.history/.versions/.history/key/ID"+
		" ./d/.history/f.txt ./d/.history/f.txt/ID.txt ./d/.versions ./d/.versions/.history ./d/.versions/.history/key ./d/.versions/.history/key/ID ./d/.versions/key ./d/f.txt x\n"; got != want {
		t.Errorf("find lists %q, want %q", got, want)
	}
	off := b.Mount("two", "--versions-dir", "off")
	if got := e.Sh(off.Mountpoint, "find d | sort | tr '\n' ' '; cat d/.versions/key; ls -d .versions || echo none"); got != "d d/.history d/.history/key d/.versions d/.versions/key d/f.txt x\nnone\n" {
		t.Errorf("without a view there is %q", got)
	}
	for h, want := range map[*harness.Host]string{h: ".history", off: "off"} {
		if got := entryOf(h); got == nil || got.VersionsDir != want {
			t.Errorf("the registry has %+v, want %s", got, want)
		}
	}
	for name, want := range map[string]string{".history": "d/.history/key", "off": "none of 3 keys", ".versions": "d/.versions/key"} {
		o := b.Latchfs(append([]string{"doctor", "--no-probe", "--json", "--versions-dir", name}, append(b.ConnectionFlags(), b.Source())...)...)
		if line := regexp.MustCompile(`(?m)^.*versions-names.*$`).FindString(o.Out); !strings.Contains(line, want) {
			t.Errorf("doctor --versions-dir %s says %s", name, line)
		}
	}
}

// Versions of a bucket whose versioning was suspended are shown and read, that with the id null among
// them; one that replaced it is not taken for it.
// SEMANTICS ".versions/"
func TestVersionsOfASuspendedBucket(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	put := func(content string) { e.Must(b.S3.Put(e.Timeout(time.Minute), "f", content)) }
	put("one\n")
	setVersioning(b, b.Name, types.BucketVersioningStatusSuspended)
	put("two\n")
	h := b.Mount("one").Expect("keeps no versions|ESTALE")
	read := func() string { return e.Sh(h.Mountpoint, "cat .versions/f/*") }
	if got := read(); got != "one\ntwo\n" {
		t.Errorf("the versions read %q", got)
	}
	f := newFiles(e)
	name := strings.Fields(e.Sh(h.Mountpoint, "ls .versions/f"))[1]
	fd := f.mustOpen(h.Path(".versions/f", name), unix.O_RDONLY)
	time.Sleep(1100 * time.Millisecond) // times have whole seconds, and are all that tells them apart
	put("three\n")
	if r, err := f.call(fileCall{Op: "read", FD: fd, N: 100}); string(r.Data) != "two\n" && err != unix.ESTALE {
		t.Errorf("the version that was replaced reads %q, %v", r.Data, err)
	}
	e.Eventually(5*time.Second, func() error {
		if _, err := f.get(h.Path(".versions/f", name)); err != unix.ENOENT {
			return fmt.Errorf("the name of the version that was replaced: %v", err)
		}
		return nil
	})
	setVersioning(b, b.Name, types.BucketVersioningStatusEnabled)
	put("four\n")
	if got := read(); got != "one\nthree\nfour\n" {
		t.Errorf("the versions read %q", got)
	}
}
