package integration

import (
	"fmt"
	"path"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// Users of these tests. Each has a group of the same number; some processes have staff, too.
const (
	alice = 1000
	bob   = 1001
	staff = 2000
)

// newFilesAs is a process like newFiles of a user with these supplementary groups.
func newFilesAs(e *harness.Env, uid uint32, groups ...uint32) *files {
	e.Helper()
	cmd := e.ProgramCommand("files")
	cmd.Env = append(cmd.Env, "GODEBUG=asyncpreemptoff=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: groups}}
	return startFiles(e, cmd)
}

// sharedMount is a mount that other users have a way to.
func sharedMount(b *harness.Bucket, hostname string, flags ...string) *harness.Host {
	b.Helper()
	b.Sh(b.Suite.Root(), "chmod 755 . "+b.Dir)
	return b.Mount(hostname, append([]string{"--allow-other"}, flags...)...)
}

// firstVersion gives the path of the first version of a file, as it is seen below dir.
func firstVersion(h *harness.Host, dir, name string) string {
	h.Helper()
	view := path.Join(dir, ".versions", name)
	return h.Path(view, strings.Fields(h.Sh(h.Mountpoint, "ls "+view))[0])
}

// reads fails the test unless the process can, or cannot, read the file.
func (f *files) reads(path, content string) {
	f.t.Helper()
	if got, err := f.get(path); err != nil || got != content {
		f.t.Errorf("%s reads %q, %v; want %q", path, got, err, content)
	}
}

func (f *files) refused(op, path string) {
	f.t.Helper()
	switch r, err := f.call(fileCall{Op: op, Path: path}); {
	case err == nil && op == "open":
		f.mustClose(r.N)
		fallthrough
	case err != unix.EACCES:
		f.t.Errorf("%s of %s: %v, want EACCES", op, path, err)
	}
}

// Below a directory that only its owner may look into, nobody else reads a version, whichever way
// he goes, nor learns a name; also once all of it is deleted.
// SEMANTICS ".versions/"
func TestVersionsOfAPrivateDirectory(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	h := sharedMount(e.Bucket(harness.OnS3, harness.Patient), "one")
	e.Sh(h.Mountpoint, `umask 022
		mkdir -p home/priv/sub; echo secret > home/priv/secret; echo deep > home/priv/sub/deep
		chmod 700 home/priv; chown -R 1000:1000 home`)
	root, owner, other := newFiles(e), newFilesAs(e, alice), newFilesAs(e, bob, staff)
	// The same directory, as the view of it is reached.
	ways := []string{"home/priv", "home/.versions/priv", ".versions/home/.versions/priv"}
	check := func(ways []string) {
		t.Helper()
		for _, way := range ways {
			secret, deep := firstVersion(h, way, "secret"), firstVersion(h, path.Join(way, ".versions/sub"), "deep")
			for _, f := range []*files{root, owner} {
				f.reads(secret, "secret\n")
				f.reads(deep, "deep\n")
				if got := string(f.must(fileCall{Op: "list", Path: h.Path(way, ".versions")}).Data); got != "secret sub" {
					t.Errorf("%s/.versions lists %q", way, got)
				}
			}
			for _, p := range []string{secret, deep} {
				other.refused("open", p)
				other.refused("stat", p)
			}
			other.refused("list", h.Path(way, ".versions"))
			other.refused("list", h.Path(way, ".versions/secret"))
			// What is not there is no different from what is.
			for _, name := range []string{"secret", "none", "secret/none", "sub/.versions/none"} {
				other.refused("stat", h.Path(way, ".versions", name))
			}
		}
		if got := string(other.must(fileCall{Op: "list", Path: h.Path("home/.versions")}).Data); got != "priv" {
			t.Errorf("home/.versions lists %q", got)
		}
	}
	check(ways)
	e.Sh(h.Mountpoint, "rm -r home/priv")
	check(ways[1:])
	e.Sh(h.Mountpoint, "rm -r home; echo a file > home")
	other.refused("open", firstVersion(h, ways[2], "secret"))
	owner.reads(firstVersion(h, ways[2], "secret"), "secret\n")
}

// In a directory like /tmp whoever makes a name again that another user has removed reads nothing of
// what that one had kept from him. The names are his, as the directory is.
// SEMANTICS ".versions/"
func TestVersionsOfWhatAnotherUserMadeAgain(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	h := sharedMount(e.Bucket(harness.OnS3, harness.Patient), "one")
	e.Sh(h.Mountpoint, "mkdir tmp; chmod 1777 tmp")
	owner, other := newFilesAs(e, alice), newFilesAs(e, bob)
	const as = "setpriv --clear-groups --reuid %[1]d --regid %[1]d sh -ec 'umask 022; %s'"
	e.Sh(h.Mountpoint, fmt.Sprintf(as, alice, `cd tmp
		mkdir -m 700 own; mkdir own/sub; echo secret > own/secret; echo deep > own/sub/deep
		echo open > report; chmod 600 report; echo closed > report; rm -r own report`))
	e.Sh(h.Mountpoint, fmt.Sprintf(as, bob, "cd tmp; mkdir -p own/sub; echo his > report"))
	for _, p := range [][2]string{{"tmp/own", "secret"}, {"tmp/own/sub", "deep"}, {"tmp", "report"}} {
		first := firstVersion(h, p[0], p[1])
		if _, err := other.call(fileCall{Op: "stat", Path: first}); err != nil {
			t.Errorf("stat of %s: %v", first, err)
		}
		other.refused("open", first)
		content := map[string]string{"secret": "secret\n", "deep": "deep\n", "report": "open\n"}[p[1]]
		owner.reads(first, content)
	}
	names := strings.Fields(e.Sh(h.Mountpoint, "ls tmp/.versions/report"))
	other.reads(h.Path("tmp/.versions/report", names[len(names)-1]), "his\n")
}

// Whoever may search a directory and not list it looks up what he knows the name of, and the other
// way round; a view that was opened before, the kernel's memory, and a long --metadata-ttl change
// nothing about that.
// SEMANTICS ".versions/"
func TestVersionsAfterChmodOfTheDirectory(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	h := sharedMount(e.Bucket(harness.OnS3, harness.Patient), "one", "--metadata-ttl", "1h")
	e.Sh(h.Mountpoint, `umask 022; mkdir -p d/sub; echo 1 > d/f; echo 2 > d/sub/g; chown -R 1000:1000 d`)
	other := newFilesAs(e, bob)
	f, g := firstVersion(h, "d", "f"), firstVersion(h, "d/sub", "g")
	view, deepView := h.Path("d/.versions"), h.Path("d/.versions/sub/.versions")
	other.reads(f, "1\n")
	other.reads(g, "2\n")
	fd := other.mustOpen(view, unix.O_RDONLY|unix.O_DIRECTORY)
	deep := other.mustOpen(deepView, unix.O_RDONLY|unix.O_DIRECTORY)
	path := other.mustOpen(f, unix.O_RDONLY|unix.O_NONBLOCK) // of the version itself
	through := func(fd int, p string) string { return fmt.Sprintf("/proc/self/fd/%d%s", fd, p) }

	e.Sh(h.Mountpoint, "chmod 711 d")
	other.refused("list", view)
	other.refused("list", view+"/f")
	other.reads(f, "1\n")
	other.reads(through(fd, strings.TrimPrefix(f, view)), "1\n")

	e.Sh(h.Mountpoint, "chmod 744 d")
	for _, p := range []string{through(fd, ""), h.Path(".versions/d/.versions")} {
		if got := string(other.must(fileCall{Op: "list", Path: p}).Data); got != "f sub" {
			t.Errorf("%s lists %q", p, got)
		}
		other.refused("list", p+"/f")
	}
	for _, p := range []string{f, view + "/f", view + "/none", through(fd, "/f"), through(fd, "/none")} {
		other.refused("stat", p)
	}
	refused := func() {
		t.Helper()
		other.refused("open", f)
		other.refused("open", g)
		other.refused("open", through(fd, strings.TrimPrefix(f, view)))
		// The descriptor of a directory that is open to all has a way past the closed one, as
		// anywhere. That is a way to the names, and not to what is in them.
		if _, err := other.call(fileCall{Op: "stat", Path: through(deep, "/g")}); err != nil {
			t.Errorf("stat through a descriptor of %s: %v", deepView, err)
		}
		other.refused("open", h.Path("d/sub/.versions/g"))
		other.refused("open", through(deep, strings.TrimPrefix(g, h.Path("d/sub/.versions"))))
		other.refused("open", through(path, ""))
	}
	refused()
	e.Sh(h.Mountpoint, "chmod 700 d")
	refused()
	other.refused("list", view)
	if got := other.mustRead(path, 0, 10); got != "1\n" {
		t.Errorf("the version that was open before reads %q", got)
	}
	e.Sh(h.Mountpoint, "chmod 755 d")
	other.reads(f, "1\n")
	other.reads(g, "2\n")
}

// A version of the time when all could read the file is for those alone who can read it now, and
// could when it was removed; by all their groups.
// SEMANTICS ".versions/"
func TestVersionsAfterChmodOfTheFile(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := sharedMount(b, "one")
	e.Sh(h.Mountpoint, `umask 022; mkdir d; chmod 777 d; echo 1 > d/f; chown 1000:1000 d/f; echo 2 > d/f`)
	first := h.Path("d/.versions/f", strings.Fields(e.Sh(h.Mountpoint, "ls d/.versions/f"))[1])
	root, owner := newFiles(e), newFilesAs(e, alice)
	member, other := newFilesAs(e, bob, 5, staff, 6), newFilesAs(e, bob)
	inside := newFilesInNamespace(e, bob)
	everybody := []*files{root, owner, member, other, inside}
	check := func(when string, may ...*files) {
		t.Helper()
		for i, f := range everybody {
			_, err := f.get(first)
			want := unix.EACCES
			for _, m := range may {
				if f == m {
					want = 0
				}
			}
			if err != nil && err != want || err == nil && want != 0 {
				t.Errorf("%s: process %d: %v, want %v", when, i, err, want)
			}
		}
		if got, err := other.call(fileCall{Op: "lstat", Path: first}); err != nil || !strings.HasPrefix(string(got.Data), "100444 2 ") {
			t.Errorf("%s: the version shows %q, %v", when, got.Data, err)
		}
	}
	check("at first", everybody...)
	e.Sh(h.Mountpoint, "chmod 600 d/f")
	check("chmod 600", root, owner)
	e.Sh(h.Mountpoint, "chown 1000:2000 d/f; chmod 640 d/f")
	check("for staff", root, owner, member)
	e.Sh(h.Mountpoint, "chmod 604 d/f")
	check("for all but staff", root, owner, other, inside)
	e.Sh(h.Mountpoint, "chmod 640 d/f; rm d/f")
	check("deleted", root, owner, member)
	e.Sh(h.Mountpoint, "ln -s x d/f; chown -h 1000:1000 d/f")
	check("a symlink", root, owner)
	fd := other.mustOpen(h.Path("d/new"), unix.O_RDWR|unix.O_CREAT)
	e.Sh(h.Mountpoint, "rm d/f; mv d/new d/f")
	check("made anew by another, who is writing it", root, owner, member)
	e.Sh(h.Mountpoint, "chmod 600 d/f")
	check("his alone", root, member)
	other.mustClose(fd)

	e.Sh(h.Mountpoint, "chmod 644 d/f; echo 1 > d/f; chmod 600 d/f")
	// A chmod right after a close can meet the file before the kernel has released it; then its version comes in
	// the background.
	var names []string
	e.Eventually(10*time.Second, func() error {
		names = strings.Fields(e.Sh(h.Mountpoint, "ls d/.versions/f"))
		if last := names[len(names)-1]; !strings.HasSuffix(last, "~meta") {
			return fmt.Errorf("the newest version is %s", last)
		}
		return nil
	})
	first = h.Path("d/.versions/f", names[len(names)-2])
	check("a version of his own", root, member, other, inside)

	// Where only the directory is mounted, it is the root.
	part := b.Host("part", "--allow-other")
	part.Prefix = "d/"
	part.Mount()
	same := part.Path(".versions/f", path.Base(first))
	other.reads(same, "1\n")
	owner.refused("open", same)

	// What another host changes counts once it is seen here.
	two := b.Mount("two")
	e.Sh(two.Mountpoint, "chmod 644 d/f")
	e.Eventually(10*time.Second, func() error { _, err := owner.get(first); return err })
	e.Sh(two.Mountpoint, "chmod 700 d")
	e.Eventually(10*time.Second, func() error {
		if _, err := owner.get(first); err != unix.EACCES {
			return fmt.Errorf("a version in what is private by now: %v", err)
		}
		return nil
	})
}

// newFilesInNamespace is a process like newFiles of a user who is root in a user namespace of his
// own, and has all capabilities there.
func newFilesInNamespace(e *harness.Env, uid int) *files {
	e.Helper()
	cmd := e.ProgramCommand("files")
	cmd.Env = append(cmd.Env, "GODEBUG=asyncpreemptoff=1")
	one := func() []syscall.SysProcIDMap { return []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}} }
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, UidMappings: one(), GidMappings: one(), GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{Uid: 0, Gid: 0},
	}
	return startFiles(e, cmd)
}

// A deletion is listed and cannot be opened, so that who takes it for the last version hears of it
// and gets no empty file. The version before it brings the file back.
// SEMANTICS ".versions/"
func TestDeletionIsNoVersionToRestore(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	h := sharedMount(e.Bucket(harness.OnS3, harness.Patient), "one")
	e.Sh(h.Mountpoint, "echo old > f; echo last > f; rm f; mkdir for-all; chmod 777 for-all")
	names := strings.Fields(e.Sh(h.Mountpoint, "ls .versions/f"))
	if len(names) != 3 || !strings.HasSuffix(names[2], "~deleted") {
		t.Fatalf("the view lists %q", names)
	}
	if got := e.Sh(h.Mountpoint, "stat -c '%s %A' .versions/f/"+names[2]); got != "0 -r--r--r--\n" {
		t.Errorf("the deletion shows %q", got)
	}
	const nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups "
	for _, command := range []string{"cp %s f", "cat %s", "cp -a %s f", "install %s f", "rsync -a %s f", nobody + "cat %s", nobody + "cp %s for-all/f", "cp -r $(dirname %s) all"} {
		o := e.TrySh(h.Mountpoint, fmt.Sprintf(command, ".versions/f/"+names[2]))
		if o.Code == 0 || o.Out != "" || !strings.Contains(o.Err, "No data available") {
			t.Errorf("%s: exit code %d, %q, %q", command, o.Code, o.Out, o.Err)
		}
	}
	if got := e.Sh(h.Mountpoint, "ls; ls for-all; cat all/*"); got != "all\nfor-all\nold\nlast\n" {
		t.Errorf("then there is %q", got)
	}
	e.Sh(h.Mountpoint, "cp .versions/f/"+names[1]+" f")
	if got := e.Sh(h.Mountpoint, "cat f"); got != "last\n" {
		t.Errorf("the restored file reads %q", got)
	}
}
