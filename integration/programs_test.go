package integration

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// programs are scripts that run in an empty directory of a mount.
var programs = []struct {
	name   string
	script string
	want   string   // printed by the script
	keys   []string // in the bucket afterwards, below the test's directory, its marker left out
}{
	{"ls", "echo 1 > a; mkdir d; ls; ls -l a | cut -c1-10; ls -A d", "a\nd\n-rw-r--r--\n", []string{"a", "d/"}},
	{"cat", "echo 1 > a; echo 2 > b; cat a b > c; cat c", "1\n2\n", []string{"a", "b", "c"}},
	{"cp", "seq 100000 > a; cp a b; cmp a b && cp -p a c && cmp a c; cp -r . ../cp.copy; diff -r . ../cp.copy; rm -r ../cp.copy; stat -c %s a b c", "588895\n588895\n588895\n", []string{"a", "b", "c"}},
	{"mv", "echo 1 > a; mv a b; echo 2 > c; mv c b; mkdir d; mv b d; cat d/b; ls", "2\nd\n", []string{"d/", "d/b"}},
	{"mv of a directory", "mkdir d; echo 1 > d/a; mkdir d/e; echo 2 > d/e/b; mv d f; find f | sort; cat f/e/b", "f\nf/a\nf/e\nf/e/b\n2\n", []string{"f/", "f/a", "f/e/", "f/e/b"}},
	{"rm", "echo 1 > a; rm a; test ! -e a; rm a 2>&1 || true; ls", "rm: cannot remove 'a': No such file or directory\n", nil},
	{"rm -r", "mkdir -p d/e; echo 1 > d/e/f; echo 2 > d/g; rm -r d; ls", "", nil},
	{"mkdir", "mkdir d; mkdir -p d/e/f; mkdir d 2>&1 || true; ls d/e", "mkdir: cannot create directory 'd': File exists\nf\n", []string{"d/", "d/e/", "d/e/f/"}},
	{"rmdir", "mkdir d; echo 1 > d/a; rmdir d 2>&1 || true; rm d/a; rmdir d; ls", "rmdir: failed to remove 'd': Directory not empty\n", nil},
	{"ln -s", "echo 1 > a; ln -s a l; cat l; readlink l; ln -s gone m; test -L m; test ! -e m; stat -c %F l", "1\na\nsymbolic link\n", []string{"a", "l", "m"}},
	{"chmod", "echo 1 > a; chmod 640 a; stat -c %a a; chmod u+x a; stat -c %a a; echo 2 >> a; stat -c %a a; mkdir d; chmod 700 d; stat -c %a d", "640\n740\n740\n700\n", []string{"a", "d/"}},
	{"chown", "echo 1 > a; chown 12:34 a; echo 2 >> a; stat -c '%u %g' a; mkdir d; chown 5 d; stat -c %u d", "12 34\n5\n", []string{"a", "d/"}},
	{"touch", "touch a; stat -c %s a; touch -d '2001-02-03 04:05:06.789 UTC' a; TZ=UTC stat -c %y a; echo x >> a; touch -d @0 a; stat -c %Y a", "0\n2001-02-03 04:05:06.789000000 +0000\n0\n", []string{"a"}},
	{"truncate", "seq 1000 > a; truncate -s 5 a; cat a; echo; truncate -s 9 a; stat -c %s a; od -An -c a; truncate -s 0 a; stat -c %s a", "1\n2\n3\n9\n   1  \\n   2  \\n   3  \\0  \\0  \\0  \\0\n0\n", []string{"a"}},
	{"append", "echo 1 > a; echo 2 >> a; exec 5>>a; echo 3 >&5; (echo 4) >&5; exec 5>&-; cat a", "1\n2\n3\n4\n", []string{"a"}},
	{"write in the middle", "seq 10 > a; printf X | dd of=a bs=1 seek=4 conv=notrunc status=none; head -4 a | tr '\\n' ,", "1,2,X,4,", []string{"a"}},
	{"sed -i", "seq 3 > a; sed -i s/2/two/ a; cat a", "1\ntwo\n3\n", []string{"a"}},
	{"vim", `printf 'one\ntwo\n' > a; vim -Nu NONE -es -c '%s/two/three/' -c wq a < /dev/null; cat a; ls -A`, "one\nthree\na\n", []string{"a"}},
	{"rm x; mkdir x", "echo 1 > x; rm x; mkdir x; echo 2 > x/y; cat x/y; rm x/y; rmdir x; echo 3 > x; cat x", "2\n3\n", []string{"x"}},
	{"rm -r d; touch d", "mkdir d; echo 1 > d/a; rm -r d; touch d; stat -c %F d; rm d; mkdir d; ls -A d", "regular empty file\n", []string{"d/"}},
	{"sort -o and tee", "printf '2\\n1\\n' > a; sort -o a a; cat a; echo 3 | tee -a a > b; cat b", "1\n2\n3\n", []string{"a", "b"}},
	{"odd names", `touch -- 'a b' 'c+d' 'e%41' 'ü' '-x' 'q?#&'; ls | wc -l; rm -- *; ls`, "6\n", nil},
}

// TestProgramsOnLocalDisk runs the same on the machine's own file system: what
// TestPrograms wants of a mount is what users know.
func TestProgramsOnLocalDisk(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	for i, tt := range programs {
		t.Run(tt.name, func(t *testing.T) {
			o := e.TrySh(e.Mkdir(strconv.Itoa(i)), tt.script)
			if o.Code != 0 || o.Out != tt.want || o.Err != "" {
				t.Errorf("exit code %d, %s\nprinted\n%swant\n%s", o.Code, o.Err, o.Out, tt.want)
			}
		})
	}
}

// TestPrograms runs the programs that people use on files, in a mount. Each script runs
// in an empty directory of the mount and has to print what is wanted, which another
// host's view and the bucket's keys confirm.
func TestPrograms(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two")
	for _, tt := range programs {
		t.Run(tt.name, func(t *testing.T) {
			dir := strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
					return r
				}
				return '_'
			}, tt.name)
			e.Sh(one.Mountpoint, "mkdir "+dir)
			o := e.TrySh(one.Path(dir), tt.script)
			if o.Code != 0 || o.Out != tt.want || o.Err != "" {
				t.Errorf("exit code %d, %s", o.Code, o.Err)
				t.Errorf("printed\n%swant\n%s", o.Out, tt.want)
			}
			keys := b.KeysBelow(dir + "/")
			for i := range keys {
				keys[i] = strings.TrimPrefix(keys[i], dir+"/")
			}
			keys = slices.DeleteFunc(keys, func(k string) bool { return k == "" })
			if !slices.Equal(keys, tt.keys) {
				t.Errorf("the bucket has %q, want %q", keys, tt.keys)
			}
			// Another host has the same, and can remove it.
			sameTree(e, one.Path(dir), two.Path(dir))
			e.Sh(two.Mountpoint, "rm -r "+dir)
			if keys := b.KeysBelow(dir + "/"); len(keys) != 0 {
				t.Errorf("after rm -r on the other host the bucket has %q", keys)
			}
		})
	}
}

// sameTree checks that two directories show the same names, types, modes, lengths,
// times and contents. What a host has seen a moment ago may be a second old.
func sameTree(e *harness.Env, a, b string) {
	e.Helper()
	const list = `find . -mindepth 1 -printf '%p %y %m %s %l ' \( -type f -printf '%T@\n' -o -printf '\n' \) | sed -E 's/^(\S+ d [0-7]+) [0-9]+/\1/' | sort
		find . -type f -print0 | sort -z | xargs -0r sha256sum`
	e.Eventually(5*time.Second, func() error {
		return equal(e.Sh(b, list), e.Sh(a, list))
	})
}

// goSource is a directory of Go's own source: real files of many sizes.
func goSource(e *harness.Env, name string) string {
	e.Helper()
	return filepath.Join(goEnv(e, "GOROOT"), "src", filepath.FromSlash(name))
}

// TestTar extracts and archives a tree of real files; the other host sees the same.
func TestTar(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two")
	src := goSource(e, "encoding")
	e.Sh(e.Dir, "tar -C "+src+" -cf in.tar .")
	e.Sh(one.Mountpoint, "mkdir x; tar -C x -xf "+filepath.Join(e.Dir, "in.tar"))
	e.Sh(e.Dir, "diff -r "+src+" "+two.Path("x"))
	// tar keeps mode and mtime.
	const list = "find . -type f -printf '%p %m %T@\n' | sed -E 's/([0-9]+)[.][0-9]+$/\\1/' | sort"
	if got, want := e.Sh(two.Path("x"), list), e.Sh(src, list); got != want {
		t.Errorf("modes and times differ:\n%s", e.TrySh(e.Dir, fmt.Sprintf("diff <(cd %s; %s) <(cd %s; %s) | head", src, list, two.Path("x"), list)).Out)
	}
	e.Sh(two.Mountpoint, "tar -C x -cf out.tar .; mkdir "+filepath.Join(e.Dir, "back")+"; tar -C "+filepath.Join(e.Dir, "back")+" -xf out.tar")
	e.Sh(e.Dir, "diff -r "+src+" back")
}

// TestRsync copies a tree into the mount, again after a change, and out of it.
func TestRsync(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two")
	src := e.Mkdir("src")
	e.Sh(src, "cp -r "+goSource(e, "container")+" .; ln -s container/heap l; chmod 755 container/list/list.go")
	e.Sh(e.Dir, "rsync -a --no-owner --no-group src/ "+one.Path("x"))
	e.Sh(e.Dir, "diff -r --no-dereference src "+two.Path("x"))
	if got := e.Sh(e.Dir, "rsync -ani --no-owner --no-group src/ "+two.Path("x")+" | grep -v '^.d' || true"); got != "" {
		t.Errorf("a second rsync would still copy:\n%s", got)
	}
	e.Sh(src, "echo changed >> container/ring/ring.go; rm container/list/list.go")
	e.Sh(e.Dir, "rsync -a --delete --no-owner --no-group src/ "+two.Path("x"))
	e.Eventually(5*time.Second, func() error {
		return equal(e.TrySh(e.Dir, "diff -r --no-dereference src "+one.Path("x")).Out, "")
	})
	e.Sh(e.Dir, "rsync -a "+one.Path("x")+"/ back; diff -r --no-dereference src back")
}

// TestGitClone clones a generated repository into the mount, works in it, and finds it
// whole from the other host.
func TestGitClone(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two")
	repo := e.Mkdir("repo")
	e.Sh(repo, "git init -q -b main; cp -r "+goSource(e, "text")+" .; git add .; git commit -qm first; echo more > text/more; git add .; git commit -qm second; git tag v1")
	e.Sh(one.Mountpoint, "git clone -q "+repo+" clone")
	e.Sh(one.Path("clone"), "echo changed >> text/more; git commit -qam third; git gc -q; git checkout -q -b side v1; echo side > side; git add side; git commit -qm side; git checkout -q main; git merge -q -m merge side")
	if out := e.Sh(two.Path("clone"), "git fsck --no-progress; git status --porcelain; git log --oneline | wc -l"); out != "5\n" {
		t.Errorf("the other host's git says %q", out)
	}
	e.Sh(e.Dir, "git clone -q "+two.Path("clone")+" back; diff -r --exclude=.git back "+two.Path("clone"))
}
