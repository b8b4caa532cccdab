package integration

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// changedKeys are the keys of the metadata that fchmod, fchown and futimens change.
var changedKeys = []string{"file-permissions", "file-owner", "file-mtime"}

// attributesOf gives what the bucket has of them.
func attributesOf(e *harness.Env, b *harness.Bucket, name string) (values []string) {
	e.Helper()
	head, err := b.S3.Head(e.Timeout(10*time.Second), name)
	e.Must(err)
	for _, key := range changedKeys {
		values = append(values, head.Metadata[key])
	}
	return values
}

// byDescriptor are the changes of attributes that the kernel sends without a handle.
func byDescriptor(fd int) []fileCall {
	return []fileCall{{Op: "fchmod", FD: fd, N: 0o777}, {Op: "futimes", FD: fd, Off: 1}}
}

// Another host replaces a file that a program here has open. What the program changes through
// its descriptor is refused, and the other host's file keeps its mode and times: nobody here has
// looked at the name since.
// SEMANTICS G1
func TestDescriptorOfAReplacedFile(t *testing.T) {
	t.Parallel()
	t.Run("open for read", func(t *testing.T) {
		t.Parallel()
		e := suite.New(t)
		b := e.Bucket(harness.OnS3, harness.Patient)
		one, two := b.Mount("one"), b.Mount("two")
		for name, replace := range map[string]func(g *files){
			"written": func(g *files) { g.mustPut(two.Path("written"), "theirs\n") },
			"renamed over": func(g *files) {
				g.mustPut(two.Path("new"), "theirs\n")
				if _, err := g.call(fileCall{Op: "rename", Path: two.Path("new"), To: two.Path("renamed over")}); err != nil {
					t.Errorf("rename on the other host: %v", err)
				}
			},
		} {
			f, g := newFiles(e), newFiles(e)
			f.mustPut(one.Path(name), "mine\n")
			fd := f.mustOpen(one.Path(name), unix.O_RDONLY)
			replace(g)
			theirs := attributesOf(e, b, name)
			for _, c := range byDescriptor(fd) {
				if _, err := f.call(c); err != unix.ESTALE {
					t.Errorf("%s: %s: %v, want ESTALE", name, c.Op, err)
				}
			}
			if now := attributesOf(e, b, name); !slices.Equal(now, theirs) {
				t.Errorf("%s: the other host's file has %q, it had %q", name, now, theirs)
			}
			// A path asks again, and gets the file that is there.
			if _, err := f.call(fileCall{Op: "chmod", Path: one.Path(name), N: 0o640}); err != nil {
				t.Errorf("%s: chmod by name: %v", name, err)
			}
		}
	})
	t.Run("open for write, lease lost", func(t *testing.T) {
		t.Parallel()
		e := suite.New(t)
		b := e.Bucket(harness.OnDynamoDB, harness.Brief)
		one, two := b.Mount("one").Expect(afterLoss), b.Mount("two").Expect(afterLoss)
		var writers []*stoppedWriter
		for _, dirty := range []bool{false, true} {
			w := &stoppedWriter{files: newFiles(e), name: map[bool]string{false: "clean", true: "dirty"}[dirty]}
			w.mustPut(one.Path(w.name), mineBefore)
			w.fd = w.mustOpen(one.Path(w.name), unix.O_RDWR)
			if dirty {
				w.mustWrite(w.fd, 0, mineDirty)
			}
			writers = append(writers, w)
		}
		stopUntilWritten(e, one, two, writers)
		one.Signal(unix.SIGCONT)
		time.Sleep(3 * time.Second) // the loss is noticed and the name given up
		for _, w := range writers {
			theirs := attributesOf(e, b, w.name)
			for _, c := range byDescriptor(w.fd) {
				if _, err := w.call(c); err != unix.ESTALE {
					t.Errorf("%s: %s: %v, want ESTALE", w.name, c.Op, err)
				}
			}
			if now := attributesOf(e, b, w.name); !slices.Equal(now, theirs) {
				t.Errorf("%s: the other host's file has %q, it had %q", w.name, now, theirs)
			}
			w.close(w.fd)
		}
	})
}

// A name that a host knows is renamed by another one. Within the time that names are believed,
// a change of its attributes by path says ENOENT, not ESTALE: the kernel's second try asks the bucket.
func TestAttributesOfANameThatMoved(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two", "--metadata-ttl", "1h")
	f, g := newFiles(e), newFiles(e)
	for _, c := range []fileCall{{Op: "chmod", N: 0o600}, {Op: "truncate", Off: 1}, {Op: "chown", N: 1}} {
		f.mustPut(one.Path(c.Op), "content\n")
		g.mustGet(two.Path(c.Op))
		if _, err := f.call(fileCall{Op: "rename", Path: one.Path(c.Op), To: one.Path(c.Op + "-moved")}); err != nil {
			t.Fatalf("rename: %v", err)
		}
		c.Path = two.Path(c.Op)
		if _, err := g.call(c); err != unix.ENOENT {
			t.Errorf("%s of a name that another host renamed: %v, want ENOENT", c.Op, err)
		}
	}
}
