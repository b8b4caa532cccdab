package integration

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// A program is a row of docs/PROGRAMS.md: a command that people run on files. The scripts run one
// after the other in the same empty directory, with these variables: $other is that directory on
// another host, $local an empty directory on the local disk, and $src the source of Go, real files
// of many sizes.
//
// The same runs on the machine's own file system first, without an error: what the command and the
// check print there is wanted of a mount too.
type program struct {
	name    string // of the row and of its sub-test
	prepare string
	command string
	check   string // looks at what came of the command
	// versions is what the command added to the bucket, in the words of counts.is; where it
	// fails, what the way around added.
	versions string
	fails    string // what a command prints that a mount refuses; "": it works
	around   string // what does the same in a mount; only of a command that fails
}

// A programGroup is a section of the document, and the test that tries it.
type programGroup struct {
	title, test string
	rows        []program
}

var programs = []programGroup{
	{"Files and directories", "TestPrograms", filePrograms},
	{"Text", "TestPrograms", textPrograms},
	{"Locks and databases", "TestPrograms", lockPrograms},
	{"Archives", "TestPrograms", archivePrograms},
	{"tar", "TestTar", tarPrograms},
	{"rsync", "TestRsync", rsyncPrograms},
	{"git", "TestGitClone", gitPrograms},
	{"Building", "TestPrograms", buildPrograms},
	{"Python and Node.js", "TestPrograms", languagePrograms},
}

func TestPrograms(t *testing.T) { tryPrograms(t, harness.OnDynamoDB) }
func TestTar(t *testing.T)      { tryPrograms(t, harness.OnS3) }
func TestRsync(t *testing.T)    { tryPrograms(t, harness.OnDynamoDB) }
func TestGitClone(t *testing.T) { tryPrograms(t, harness.OnDynamoDB) }

// tryPrograms runs the rows of the test on a bucket that two hosts have mounted.
func tryPrograms(t *testing.T, locks harness.Lock) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(locks, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two")
	one.Expect("refused|not supported|not renamed")
	env := fmt.Sprintf("TZ=UTC src='%s/src' GOCACHE='%s' GOTOOLCHAIN=local GOFLAGS=-buildvcs=false", goEnv(e, "GOROOT"), goEnv(e, "GOCACHE"))
	for _, g := range programs {
		if g.test != t.Name() {
			continue
		}
		for _, p := range g.rows {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				p.try(b.For(t), one, two, env)
			})
		}
	}
}

// try runs a row on the local disk and in the mount.
func (p program) try(b *harness.Bucket, one, two *harness.Host, env string) {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, p.name)

	disk := place{b, b.Mkdir("disk/" + name), b.Mkdir("disk/" + name), b.Mkdir("disk.local/" + name), env}
	disk.must(p.prepare)
	wantCommand := disk.must(p.command)
	wantCheck := disk.must(p.check)

	mount := place{b, one.Path(name), two.Path(name), b.Mkdir("mount.local/" + name), env}
	b.Must(os.Mkdir(mount.dir, 0o755))
	mount.must(p.prepare)
	works := p.command
	if p.fails != "" {
		if o := mount.run(p.command); o.Code == 0 || !strings.Contains(o.Out+o.Err, p.fails) {
			b.Errorf("exit code %d of: %s\n%s%s\nwant an error that says %q", o.Code, p.command, o.Out, o.Err, p.fails)
		}
		works = p.around
	}
	// A chmod right after a close can meet the file before the kernel has released it; then its version
	// comes in the background, and does not belong to the command.
	before := versionsBelow(b, name+"/")
	for last := counts(nil); !maps.Equal(before, last); before = versionsBelow(b, name+"/") {
		last = before
		time.Sleep(200 * time.Millisecond)
	}
	mount.prints(works, wantCommand)
	if got := versionsBelow(b, name+"/").since(before); !got.is(p.versions) {
		b.Errorf("versions: %s, want %s\n%+v", got, p.versions, map[string]count(got))
	}
	mount.prints(p.check, wantCheck)

	// A file is an object and a directory a marker: nothing else is in the bucket.
	if got, want := b.KeysBelow(name+"/"), keysFor(b, mount.dir, name); !slices.Equal(got, want) {
		b.Errorf("the bucket has the keys\n%q, want\n%q", got, want)
	}
	// Another host has the same, and can remove it.
	sameTree(b.Env, mount.dir, mount.other)
	b.Sh(two.Mountpoint, "rm -rf "+name)
	if keys := b.KeysBelow(name + "/"); len(keys) != 0 {
		b.Errorf("after rm -r on the other host the bucket has %q", keys)
	}
}

// A place is where the scripts of a row run.
type place struct {
	b                 *harness.Bucket
	dir, other, local string // the latter two are the scripts' variables
	env               string // more variables
}

func (p place) run(script string) harness.Output {
	p.b.Helper()
	return p.b.TrySh(p.dir, fmt.Sprintf("export other='%s' local='%s' %s\n%s", p.other, p.local, p.env, script))
}

// must runs what has to succeed without a word on stderr.
func (p place) must(script string) string {
	p.b.Helper()
	o := p.run(script)
	if o.Code != 0 || o.Err != "" {
		p.b.Fatalf("exit code %d of: %s\n%s%s", o.Code, script, o.Out, o.Err)
	}
	return o.Out
}

// prints is must for what has to print the same as on a local disk.
func (p place) prints(script, want string) {
	p.b.Helper()
	if got := p.must(script); got != want {
		p.b.Errorf("%s\nprints\n%sbut on a local disk\n%s", script, got, want)
	}
}

// keysFor are the keys below a prefix that a directory of a mount has to have.
func keysFor(b *harness.Bucket, dir, prefix string) []string {
	b.Helper()
	var keys []string
	b.Must(filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		key := prefix + strings.TrimPrefix(path, dir)
		if err == nil && e.IsDir() {
			key += "/"
		}
		keys = append(keys, key)
		return err
	}))
	slices.Sort(keys)
	return keys
}

// sameTree checks that two directories show the same names, types, modes, lengths,
// times and contents. What a host has seen a moment ago may be a second old.
func sameTree(e *harness.Env, a, b string) {
	e.Helper()
	const list = `find . -mindepth 1 -printf '%p %y %m %s %l ' \( -type f -printf '%T@\n' -o -printf '\n' \) | sed -E 's/^(\S+ d [0-7]+) [0-9]+/\1/' | sort
		find . -type f -print0 | sort -z | xargs -0r sha256sum`
	e.Eventually(5*time.Second, func() error {
		got, want := e.TrySh(b, list), e.TrySh(a, list)
		if got.Code != 0 || want.Code != 0 { // find met a name that is not there any more
			return fmt.Errorf("%s%s", got.Err, want.Err)
		}
		return equal(got.Out, want.Out)
	})
}
