package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// Linux drops an answer about an inode if another one, which was asked for at the same time, came
// first. So a host that has found another version may go on with the size of the one before. An
// open that starts after a close on another host reads all of what was saved nevertheless.
// SEMANTICS G2
func TestG2AfterAnAnswerThatTheKernelDropped(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	p := b.Proxy()
	// A listing is completed from an old HEAD, which this test needs, only if that was answered a minute
	// after the version was made.
	p.Alter(func(r *http.Response) {
		r.Header.Set("Date", time.Now().Add(2*time.Minute).UTC().Format(http.TimeFormat))
	})
	const ttl = 5 * time.Second // that the test needs for what comes after the listing
	one, two := b.Through(p.URL).Mount("one", "--metadata-ttl", ttl.String()), b.Mount("two")
	f, other, writer := newFiles(e), newFiles(e), newFiles(e)
	writer.mustPut(two.Path("f"), "short\n")
	fd := f.mustOpen(one.Path("f"), unix.O_PATH) // by which one may ask without a look-up
	time.Sleep(ttl + 100*time.Millisecond)

	headed := func(r harness.Request) bool { return r.Method == http.MethodHead && strings.HasSuffix(r.Path, "/f") }
	before := len(p.Seen(headed))
	p.Inject(func(r *http.Request) harness.Fault {
		if r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "/f") {
			return harness.Halt
		}
		return harness.Pass
	})
	asking := f.begin(fileCall{Op: "size", FD: fd})
	e.Eventually(10*time.Second, func() error {
		if len(p.Seen(headed)) == before {
			return fmt.Errorf("nobody asks for the attributes")
		}
		return nil
	})
	if r, err := other.call(fileCall{Op: "list", Path: one.Path()}); err != nil || string(r.Data) != "f" {
		t.Fatalf("the listing shows %q, %v", r.Data, err)
	}
	const want = "a much longer text\n"
	writer.mustPut(two.Path("f"), want)
	p.Inject(nil)
	p.Resume()
	if r, err := f.within(10*time.Second, asking); err != nil || r.N != len(want) {
		t.Errorf("fstat: %d bytes, %v, want those of %q", r.N, err, want)
	}
	if got := other.mustGet(one.Path("f")); got != want {
		t.Errorf("the open after the close reads %q, want %q", got, want)
	}
	f.mustClose(fd)
}
