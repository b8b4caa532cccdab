package integration

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// A program that is killed while it waits for the bucket ends at once, whether it waits in
// close, in fsync or in the close that the kernel makes for a process that ends. What it had
// asked to save arrives when the bucket answers again.
// SEMANTICS G5
func TestKilledWhileSaving(t *testing.T) {
	t.Parallel()
	// This long a program may take to end that was killed. The promise is about a second.
	const limit = 5 * time.Second
	for _, tt := range []struct {
		name string
		wait string // the call that it waits in; "": none, its end closes the file
	}{{"close", "close"}, {"fsync", "fsync"}, {"exit", ""}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := suite.New(t)
			b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
			p := b.Proxy()
			h := b.Through(p.URL).Mount("one", "--flush-timeout", "1m").Expect(outage)
			f := newFiles(e)
			f.mustPut(h.Path("f"), "old\n")
			fd := f.mustOpen(h.Path("f"), unix.O_WRONLY|unix.O_TRUNC)
			f.mustWrite(fd, 0, "new\n")
			p.Inject(on("/f", harness.Hang))
			from := time.Now()
			if tt.wait != "" {
				f.begin(fileCall{Op: tt.wait, FD: fd})
				e.Eventually(30*time.Second, func() error {
					return some(p.Seen(func(r harness.Request) bool {
						return r.At.After(from) && r.Method == http.MethodPut && strings.HasSuffix(r.Path, "/f")
					}), "PUT of f")
				})
			}
			killed := time.Now()
			e.Must(f.process.Cmd.Process.Kill())
			select {
			case <-f.process.Done():
				t.Logf("it ended after %s", time.Since(killed))
			case <-time.After(limit):
				t.Errorf("it is still there %s after it was killed", limit)
			}
			p.Inject(nil)
			e.Eventually(90*time.Second, func() error { return equal(b.Content("f"), "new\n") })
			if keys := b.KeysBelow("f."); len(keys) != 0 {
				t.Errorf("it made %q", keys)
			}
		})
	}
}
