package integration

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/s3table"
	"github.com/latchfs/latchfs/store"
)

// What a host leaves that is gone for good goes, although nobody asks for its locks; a living one that stands
// still for less than a lease meanwhile keeps all.
func TestGCOfAHostThatIsGone(t *testing.T) {
	t.Parallel()
	for name, locks := range map[string]harness.Lock{"DynamoDB": harness.OnDynamoDB, "S3": harness.OnS3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := suite.New(t)
			b := e.Bucket(locks, harness.Mortal)
			f := newFiles(e)
			one, two := b.Mount("one").Expect("dead"), b.Mount("two")
			f.mustOpen(one.Path("held"), unix.O_RDWR|unix.O_CREAT)
			fd := f.mustOpen(two.Path("open"), unix.O_RDWR|unix.O_CREAT)
			f.mustWrite(fd, 0, "not saved yet")
			one.Kill()
			e.Must(os.Rename(one.StateDir, filepath.Join(e.Dir, "gone")))

			two.Signal(unix.SIGSTOP)
			time.AfterFunc(2*time.Second, func() { two.Signal(unix.SIGCONT) })
			lines := gcOf(b, two, "--yes")
			if len(lines) != 2 || gcCount(t, lines, "lock") != 1 || gcCount(t, lines, "session") != 1 {
				t.Errorf("of a host that is gone it removes %+v", lines)
			}
			f.mustWrite(fd, 0, "NOT")
			f.mustClose(fd)
			if got := b.Content("open"); got != "NOT saved yet" {
				t.Errorf("the bucket has %q", got)
			}
			two.Umount()
		})
	}
}

// A lock record that does not answer, and one that is damaged, are named, and the rest is looked at.
func TestGCGoesOn(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Mortal)
	locks := harness.NewClient(b.Server(), b.Name+"-locks")
	table := s3Table(t, nil, b.Name+"-locks")
	var bond struct{ ID string }
	e.Must(json.Unmarshal([]byte(b.Content(store.BucketConfigKey)), &bond))
	for sid, name := range map[string]string{"closed": "free", "other": "busy"} {
		e.Must(table.PutSession(t.Context(), lockmgr.Session{SID: sid}))
		e.Must(table.CloseSession(t.Context(), sid))
		_, err := table.AcquireLock(t.Context(), lockmgr.Lock{Name: bond.ID + "\x00" + name, SID: sid, Nonce: name})
		e.Must(err)
	}
	busy := ""
	keys, err := locks.Keys(e.Timeout(time.Minute), "v1/lock/")
	e.Must(err)
	for _, key := range keys {
		record, err := locks.Get(e.Timeout(time.Minute), key, "")
		e.Must(err)
		if strings.Contains(string(record), `"nonce":"busy"`) {
			busy = key
		}
	}
	e.Must(locks.Put(e.Timeout(time.Minute), "v1/lock/\n", "{"))
	var work, dead atomic.Bool
	through := behind(b, func(r *http.Request) harness.Fault {
		if work.Load() && r.Method == http.MethodGet && (strings.HasSuffix(r.URL.Path, busy) || dead.Load() && strings.Contains(r.URL.Path, "/v1/lock/")) {
			return harness.Busy
		}
		return harness.Pass
	}, nil)
	through.Init() // proves the server by this name
	work.Store(true)
	gc := append(append([]string{"gc", "--state-dir", e.Dir}, through.ConnectionFlags()...), b.Source())
	o := through.Latchfs(gc...)
	if o.Code != 1 || !strings.Contains(o.Out, "free") || strings.Contains(o.Out, "session") {
		t.Errorf("exit code %d, out:\n%s", o.Code, o.Out)
	}
	for _, say := range []string{busy, `v1/lock/\n`, "2 could not be looked at"} {
		if !strings.Contains(o.Err, say) {
			t.Errorf("it does not say %q:\n%s", say, o.Err)
		}
	}
	// Where none answers that is said once.
	dead.Store(true)
	if o := through.Latchfs(gc...); o.Code != 1 || o.Out != "" || strings.Count(o.Err, "not looked at") != 1 || !strings.Contains(o.Err, "lock table s3:") {
		t.Errorf("of a table that does not answer: exit code %d\n%s%s", o.Code, o.Out, o.Err)
	}
}

// What a probe has left in a bucket keeps nobody from making a lock table there; what else is there does.
func TestALockTableBesideLeftoversOfProbes(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	locks := harness.NewClient(b.Server(), b.Name+"-locks")
	emptyBucket(e, locks)
	for _, key := range []string{store.ProbePrefix + "a", store.ProbePrefix + "b", "v1/x"} {
		e.Must(locks.Put(e.Timeout(time.Minute), key, "x"))
	}
	table := s3Table(t, nil, b.Name+"-locks")
	if _, _, err := table.Init(t.Context(), lockmgr.Config{Timing: s3table.LocalTiming}); err == nil {
		t.Error("a foreign bucket becomes a lock table")
	}
	e.Must(locks.Delete(e.Timeout(time.Minute), "v1/x"))
	_, created, err := table.Init(t.Context(), lockmgr.Config{Timing: s3table.LocalTiming})
	if err != nil || !created {
		t.Errorf("init: %v, %v", created, err)
	}
}
