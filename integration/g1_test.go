package integration

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// A foreign change between open and close: whatever it was, close says ESTALE, theirs
// stays and ours is beside it.
// SEMANTICS G1, G5
func TestG1ForeignChangeWhileOpen(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		before string // content at open; "": the host creates the file
		change func(e *harness.Env, b *harness.Bucket)
		theirs string // content afterwards; "": none
	}{
		{"overwritten", "old\n", func(e *harness.Env, b *harness.Bucket) { e.Must(b.S3.Put(e.Timeout(time.Minute), "f", "theirs\n")) }, "theirs\n"},
		{"deleted", "old\n", func(e *harness.Env, b *harness.Bucket) { e.Must(b.S3.Delete(e.Timeout(time.Minute), "f")) }, ""},
		{"created", "", func(e *harness.Env, b *harness.Bucket) { e.Must(b.S3.Put(e.Timeout(time.Minute), "f", "theirs\n")) }, "theirs\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := suite.New(t)
			b := e.Bucket(harness.OnS3, harness.Patient)
			if tt.before != "" {
				e.Must(b.S3.Put(e.Timeout(time.Minute), "f", tt.before))
			}
			h := b.Mount("one").Expect("conflict|changed")
			f := newFiles(e)
			fd := f.mustOpen(h.Path("f"), unix.O_RDWR|unix.O_CREAT)
			f.mustWrite(fd, 0, "ours\n")
			tt.change(e, b)
			if err := f.close(fd); err != unix.ESTALE {
				t.Errorf("close: %v, want ESTALE", err)
			}
			got, err := b.S3.Get(e.Timeout(time.Minute), "f", "")
			if tt.theirs == "" {
				if !harness.NotFound(err) {
					t.Errorf("the deleted object came back: %q, %v", got, err)
				}
			} else if string(got) != tt.theirs {
				t.Errorf("the bucket has %q, %v, want %q", got, err, tt.theirs)
			}
			conflicts := b.KeysBelow("f.conflict-one-")
			if len(conflicts) != 1 || b.Content(conflicts[0]) != "ours\n" {
				t.Errorf("conflict files %q, want one with our bytes", conflicts)
			}
			// And on the host: the file is theirs, the conflict file is there.
			if names := e.Sh(h.Mountpoint, "sleep 1.1; ls"); !strings.Contains(names, "f.conflict-one-") {
				t.Errorf("ls shows %q", names)
			}
			if tt.theirs != "" {
				if got := f.mustGet(h.Path("f")); got != tt.theirs {
					t.Errorf("the host reads %q afterwards", got)
				}
			}
		})
	}
}

// fsync finds a foreign change like close does, and the next close does not publish
// what was refused.
// SEMANTICS G1
func TestG1ForeignChangeBeforeFsync(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", "old\n"))
	h := b.Mount("one").Expect("conflict|changed")
	f := newFiles(e)
	fd := f.mustOpen(h.Path("f"), unix.O_RDWR)
	f.mustWrite(fd, 0, "ours\n")
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", "theirs\n"))
	if err := f.fsync(fd); err != unix.ESTALE {
		t.Errorf("fsync: %v, want ESTALE", err)
	}
	if err := f.write(fd, 0, "again\n"); err != unix.ESTALE {
		t.Errorf("write after the conflict: %v, want ESTALE", err)
	}
	f.close(fd)
	if got := b.Content("f"); got != "theirs\n" {
		t.Errorf("the bucket has %q", got)
	}
	if n := len(b.VersionsOf("f")); n != 2 {
		t.Errorf("%d versions, want the two foreign ones", n)
	}
}

// Every change that answers 0 was made on what its author saw: what removes, renames or
// alters a name has a precondition on the wire.
// SEMANTICS G1
func TestG1EveryMutationHasACondition(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one")
	e.Sh(h.Mountpoint, `
		echo a > a; echo b >> a; chmod 600 a; touch a; mv a b; truncate -s 1 b
		mkdir d; ln -s ../b d/l; echo x > d/x; echo y > d/y; mv -T d/x d/y; rm d/y d/l; rmdir d; rm b
		head -c 20000000 /dev/zero > big; mv big huge; rm huge`)
	h.Umount()
	seen := map[string]int{}
	for _, r := range p.Seen(func(r harness.Request) bool { return r.Method != "GET" && r.Method != "HEAD" }) {
		source := r.Header.Get("X-Amz-Copy-Source")
		if source != "" {
			// What is copied is what was seen too.
			if !strings.Contains(source, "?versionId=") && r.Header.Get("X-Amz-Copy-Source-If-Match") == "" {
				t.Errorf("%s %s copies whatever is at %s", r.Method, r.Path, source)
			}
			seen["COPY"]++
		} else {
			seen[r.Method]++
		}
		ifMatch, ifNone := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
		switch {
		case strings.Contains(r.Query, "partNumber="), strings.HasPrefix(r.Query, "uploads"):
			// A part is no object; what completes the upload carries the condition.
		case r.Method == "DELETE" && strings.Contains(r.Query, "uploadId="):
		case strings.Contains(r.Query, "tagging"):
			t.Errorf("%s %s?%s cannot carry a condition", r.Method, r.Path, r.Query)
		case ifMatch == "" && ifNone != "*":
			t.Errorf("%s %s?%s has no condition", r.Method, r.Path, r.Query)
		}
	}
	for _, kind := range []string{"PUT", "COPY", "DELETE", "POST"} {
		if seen[kind] < 2 {
			t.Errorf("%d requests of the kind %s: the test shows nothing", seen[kind], kind)
		}
	}
}

// The limit that SEMANTICS states: S3 compares the ETag, so the same bytes put back by
// a foreign writer are no change to it. No bytes are lost by that.
// SEMANTICS G1
func TestG1LimitSameBytesPutBack(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", "A\n"))
	h := b.Mount("one").Expect("conflict|changed|chain|base")
	f := newFiles(e)
	fd := f.mustOpen(h.Path("f"), unix.O_RDWR)
	f.mustWrite(fd, 0, "C\n")
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", "B\n"))
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", "A\n"))
	if err := f.close(fd); err != nil && err != unix.ESTALE {
		t.Errorf("close: %v, want success or ESTALE", err)
	}
	var all []string
	for _, v := range b.VersionsOf("f") {
		body, err := b.S3.Get(e.Timeout(time.Minute), "f", v.ID)
		e.Must(err)
		all = append(all, string(body))
	}
	if got := strings.Join(all, ""); !strings.HasPrefix(got, "A\nB\nA\n") {
		t.Errorf("the history is %q", got)
	}
}

// A lost reply is looked up, never believed to be a failure: the file is written once.
// SEMANTICS G1
func TestG1LostReply(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one").Expect("unanswered|unknown|EOF|outcome")
	f := newFiles(e)
	f.mustPut(h.Path("f"), "1\n")
	p.Inject(loseFirst("PUT", "/f"))
	f.mustPut(h.Path("f"), "2\n")
	if got := b.Content("f"); got != "2\n" {
		t.Errorf("the bucket has %q", got)
	}
	if n := len(b.VersionsOf("f")); n != 2 {
		t.Errorf("%d versions, want 2", n)
	}
	if keys := b.KeysBelow("f."); len(keys) != 0 {
		t.Errorf("a lost reply made %q", keys)
	}
}
