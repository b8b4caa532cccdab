package integration

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// putMany puts objects of a few bytes.
func putMany(e *harness.Env, b *harness.Bucket, keys []string, text string) {
	e.Helper()
	ctx := e.Timeout(2 * time.Minute)
	work := make(chan string)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for key := range work {
				if err := b.S3.Put(ctx, key, text); err != nil {
					e.Error(err)
				}
			}
		})
	}
	for _, key := range keys {
		work <- key
	}
	close(work)
	wg.Wait()
}

// A reading is how often a bucket was asked: for one object's properties, for names, for bytes.
type reading struct{ Heads, Lists, Gets int }

// readings counts what was asked of the bucket through a proxy, from its request number since on.
func readings(b *harness.Bucket, p *harness.Proxy, since int) (n reading, requests int) {
	seen := p.Seen(func(harness.Request) bool { return true })
	for _, r := range seen[since:] {
		switch {
		case !strings.HasPrefix(r.Path+"/", "/"+b.Name+"/"): // the lock table's bucket
		case r.Method == http.MethodHead:
			n.Heads++
		case r.Method == http.MethodGet && strings.Contains(r.Query, "list-type"):
			n.Lists++
		default:
			n.Gets++
		}
	}
	return n, len(seen)
}

// abreast tells how many HEADs were on their way at a time.
func abreast(p *harness.Proxy) (most int) {
	heads := p.Seen(func(r harness.Request) bool { return r.Method == http.MethodHead })
	for _, r := range heads {
		n := 0
		for _, o := range heads {
			if !o.At.After(r.At) && o.Till.After(r.At) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

const (
	flatFiles            = 1000
	treeDirs, treePerDir = 100, 10
	treeFiles            = treeDirs * treePerDir
)

// walks are programs that read directories, and what they may cost in a mount that knows nothing
// yet. Each finds its directory by a HEAD, since that may be a file, and by a LIST.
var walks = []struct {
	name, script string
	want         reading
}{
	{"ls", "ls flat", reading{1, 1, 0}},
	// One HEAD for each file, none twice.
	{"ls -l", "ls -l flat", reading{1 + flatFiles, 1, 0}},
	// A listing does not tell a small file from a symlink.
	{"find -type f", "find tree -type f", reading{1 + treeFiles, 1 + treeDirs, 0}},
	{"find", "find tree", reading{1 + treeFiles, 1 + treeDirs, 0}},
	{"du", "du -a tree", reading{1 + treeFiles, 1 + treeDirs, 0}},
	{"rsync -n", "rsync -rtn tree/ $DIR/nothing/ --out-format=%n", reading{1 + treeFiles, 1 + treeDirs, 0}},
	// Nor does it tell what a directory's marker says: a HEAD for each that has one.
	{"find with markers", "find marked", reading{1 + treeDirs + treeFiles, 1 + treeDirs, 0}},
}

// What programs that go through directories cost, in requests: a LIST for each directory, which its
// look-up sends to see when it changed and which answers its reader too, a HEAD for each name whose
// attributes they ask for and a LIST does not tell, and nothing else. The time of each is in the
// log.
func TestRequestsOfWalks(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	var keys []string
	for i := range flatFiles {
		keys = append(keys, fmt.Sprintf("flat/f%04d", i))
	}
	for i := range treeFiles {
		name := fmt.Sprintf("d%02d/f%d", i/treePerDir, i%treePerDir)
		keys = append(keys, "tree/"+name, "marked/"+name)
	}
	for i := range treeDirs {
		keys = append(keys, fmt.Sprintf("marked/d%02d/", i))
	}
	putMany(e, b, keys, "x")
	for _, tt := range walks {
		t.Run(tt.name, func(t *testing.T) {
			p := b.Proxy()
			p.Latency = 5 * time.Millisecond
			// The kernel and the mount forget nothing meanwhile, however slow the machine is.
			h := b.Through(p.URL).Mount(strings.ReplaceAll(tt.name, " ", ""), "--metadata-ttl", "1h")
			_, since := readings(b, p, 0)
			start := time.Now()
			lines := strings.Count(e.Sh(h.Mountpoint, strings.ReplaceAll(tt.script, "$DIR", e.Dir)), "\n")
			took := time.Since(start)
			if lines < 1000 {
				t.Errorf("%d lines", lines)
			}
			got, _ := readings(b, p, since)
			if got != tt.want {
				t.Errorf("%s: %+v, want %+v", tt.script, got, tt.want)
			}
			n := abreast(p)
			if got.Heads > 1 && n < 8 { // on a machine that does not do 64 at once
				t.Errorf("%s: %d HEADs at a time", tt.script, n)
			}
			t.Logf("%s: %+v in %s, %d HEADs at a time", tt.script, got, took, n)
			h.Umount()
		})
	}
}

// git looks at the files of its index, and lists directories only afterwards.
func TestRequestsOfGitStatus(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	var keys []string
	const dirs, perDir = 20, 50
	for i := range dirs * perDir {
		keys = append(keys, fmt.Sprintf("d%02d/f%02d", i/perDir, i%perDir))
	}
	putMany(e, b, keys, "x")
	first := b.Mount("first")
	git := "export GIT_OPTIONAL_LOCKS=0; git --git-dir=" + filepath.Join(e.Dir, "git") + " --work-tree=. "
	e.Sh(first.Mountpoint, git+"init -q; sleep 2; "+git+"add -A")
	first.Umount()
	p := b.Proxy()
	p.Latency = 5 * time.Millisecond
	h := b.Through(p.URL).Mount("second", "--metadata-ttl", "1h")
	_, since := readings(b, p, 0)
	start := time.Now()
	if out := e.Sh(h.Mountpoint, git+"status --porcelain | grep -v '^A ' || true"); out != "" {
		t.Errorf("git says %q", out)
	}
	got, _ := readings(b, p, since)
	t.Logf("git status: %+v in %s", got, time.Since(start))
	// A HEAD for each file and at most one for each directory; a LIST for each directory by its
	// look-up, and two for the root: after a few names in order of it, and when git reads it.
	if files := dirs * perDir; got.Heads < files || got.Heads > files+dirs || got.Lists > dirs+2 || got.Gets > 0 {
		t.Errorf("git status: %+v for %d files in %d directories", got, files, dirs)
	}
}
