package integration

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// The copy that a rename makes can be seen before the old name is gone, and whoever takes no lease may
// write on it. A rename that fails then must not let the kernel try it again: the second try
// would find a file under the new name, and replace it. SEMANTICS G1
func TestRenameKeepsWhatIsWrittenOnItsCopy(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	local, err := e.Suite.S3()
	e.Must(err)
	b := e.NoBucketOn(e.StrippingServer(local, harness.OnCopy), harness.OnS3, harness.Patient) // copies are uploads
	b.Init()
	p := b.Proxy()
	h := b.Through(p.URL).Mount("one").Expect("does not honour|copies are made by other requests")
	ctx := e.Timeout(time.Minute)
	foreign := harness.NewClient(local, b.Name)
	add := func(key, line string) { // as a careful program does
		head, err := foreign.Head(ctx, key)
		if err != nil {
			t.Error(err)
			return
		}
		text, err := foreign.Get(ctx, key, *head.VersionId)
		ok, err2 := foreign.PutIfMatch(ctx, key, append(text, line...), *head.ETag)
		if err := errors.Join(err, err2); err != nil || !ok {
			t.Errorf("adding to %s: %t, %v", key, ok, err)
		}
	}
	deletes := func(r *http.Request) bool { return r.Method == http.MethodDelete }
	completed := false
	looks := func(r *http.Request) bool { // at what the upload became
		completed = completed || r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
		return completed && r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "/new")
	}
	for _, c := range []struct {
		dir  string
		at   func(r *http.Request) bool // when they write
		keys []string
		want error
	}{
		{"old", deletes, []string{"old"}, nil},
		{"both", deletes, []string{"old", "new"}, unix.EBUSY},
		{"new", looks, []string{"new"}, unix.EBUSY},
	} {
		t.Run(c.dir, func(t *testing.T) {
			dir := c.dir + "/"
			e.Must(foreign.Put(ctx, dir+"old", "start\n"))
			var mu sync.Mutex
			wrote := false
			p.Inject(func(r *http.Request) harness.Fault {
				mu.Lock()
				defer mu.Unlock()
				if !wrote && c.at(r) {
					wrote = true
					for _, key := range c.keys {
						add(dir+key, key+"\n")
					}
				}
				return harness.Pass
			})
			err := os.Rename(h.Path(dir, "old"), h.Path(dir, "new"))
			p.Inject(nil)
			if !wrote || !errors.Is(err, c.want) {
				t.Errorf("rename: %v, want %v; they wrote: %t", err, c.want, wrote)
			}
			var all string
			for _, key := range b.KeysBelow(dir) {
				all += b.Content(key)
			}
			for _, key := range c.keys {
				if !strings.Contains(all, key+"\n") {
					t.Errorf("what was written to %s is lost: there is %q", key, all)
				}
			}
		})
	}
}
