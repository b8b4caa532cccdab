package integration

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/dynamo"
	"github.com/latchfs/latchfs/lockmgr/s3table"
	"github.com/latchfs/latchfs/lockmgr/tabletest"
)

func onDynamo(server func() (harness.Endpoint, error)) func(*testing.T) func() lockmgr.Table {
	return func(t *testing.T) func() lockmgr.Table {
		e, err := server()
		if err != nil {
			t.Fatal(err)
		}
		c := dynamo.Config{Table: "locks-" + rand.Text(), Region: "us-east-1", Endpoint: e.URL,
			AccessKey: e.AccessKey, SecretKey: e.SecretKey}
		return func() lockmgr.Table {
			tab, err := dynamo.Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			return tab
		}
	}
}

// onS3 are tables in one lock bucket, of hosts that write a record at a release.
func onS3(t *testing.T) func() lockmgr.Table { return s3Tables(t, func(int) bool { return false }) }

// onS3Removing are tables of hosts that remove the record.
func onS3Removing(t *testing.T) func() lockmgr.Table {
	return s3Tables(t, func(int) bool { return true })
}

// onS3Mixed are tables of hosts of both kinds, in turns.
func onS3Mixed(t *testing.T) func() lockmgr.Table {
	return s3Tables(t, func(i int) bool { return i%2 == 0 })
}

// s3Tables are tables in one lock bucket; removes tells of the i-th one how it releases.
func s3Tables(t *testing.T, removes func(i int) bool) func() lockmgr.Table {
	bucket := "locks-" + strings.ToLower(rand.Text())
	opened := 0
	return func() lockmgr.Table {
		tab := s3Table(t, nil, bucket)
		if removes(opened) {
			tab.RemoveReleased()
		}
		opened++
		return tab
	}
}

// Who may not remove records of the lock bucket releases by writing them: the next one has the lock.
func TestReleaseWithoutTheRightToRemove(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	p := b.Proxy()
	p.Inject(func(r *http.Request) harness.Fault {
		if r.Method == http.MethodDelete {
			return harness.Denied
		}
		return harness.Pass
	})
	server := b.Server()
	tab, err := s3table.Open(t.Context(), s3table.Config{Bucket: b.Name + "-locks", Region: harness.Region, Endpoint: p.URL,
		PathStyle: true, AccessKey: server.AccessKey, SecretKey: server.SecretKey})
	e.Must(err)
	tab.RemoveReleased()
	for _, nonce := range []string{"a", "b"} {
		l := lockmgr.Lock{Name: "b\x00k", SID: "s", Nonce: nonce}
		if got, err := tab.AcquireLock(t.Context(), l); err != nil || got.Nonce != nonce {
			t.Fatalf("acquire: %+v, %v", got, err)
		}
		if err := tab.ReleaseLock(t.Context(), l.Name, nonce); err != nil {
			t.Errorf("release: %v", err)
		}
	}
}

// What was sent to a session that is gone is found and removed.
func TestMailOfASessionThatIsGone(t *testing.T) {
	t.Parallel()
	tab := onS3Removing(t)().(*s3table.Table)
	if _, _, err := tab.Init(t.Context(), lockmgr.Config{Timing: s3table.LocalTiming}); err != nil {
		t.Fatal(err)
	}
	if err := tab.SendMail(t.Context(), "gone", "name"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		found := 0
		err := tab.Records(t.Context(), func(r lockmgr.Record) error {
			found++
			if r.Session == nil || r.Session.SID != "gone" || r.Session.State != lockmgr.Missing {
				t.Errorf("found %+v", r)
			}
			removed, err := tab.Remove(t.Context(), r)
			if !removed {
				t.Error("it was not removed")
			}
			return err
		})
		if err != nil || found != want {
			t.Errorf("%d records, %v; want %d", found, err, want)
		}
	}
}

// The lock tables of both kinds keep what the lock manager relies on: on a DynamoDB that
// answers a failed condition with the old item, as AWS does, on one that does not, and
// on the S3 server.
func TestLockTables(t *testing.T) {
	t.Parallel()
	t.Run("ministack", func(t *testing.T) { tabletest.Run(t, onDynamo(suite.DynamoDB)) })
	t.Run("dynalite", func(t *testing.T) { tabletest.Run(t, onDynamo(suite.Dynalite)) })
	t.Run("s3", func(t *testing.T) { tabletest.Run(t, onS3) })
	t.Run("s3 that removes", func(t *testing.T) { tabletest.Run(t, onS3Removing) })
	t.Run("s3 of both kinds", func(t *testing.T) { tabletest.Run(t, onS3Mixed) })
}

// Where a release removes the record of its lock, whoever locks the key next needs one request,
// also on another host.
func TestLockRecordIsGoneAfterARelease(t *testing.T) {
	t.Parallel()
	open := onS3Removing(t)
	if _, _, err := open().Init(t.Context(), lockmgr.Config{Timing: s3table.LocalTiming}); err != nil {
		t.Fatal(err)
	}
	for _, nonce := range []string{"a", "b"} {
		tab, l := open(), lockmgr.Lock{Name: "b\x00k", SID: "s", Nonce: nonce}
		if got, err := tab.AcquireLock(t.Context(), l); err != nil || got.Nonce != nonce {
			t.Fatalf("%+v, %v", got, err)
		}
		if err := tab.ReleaseLock(t.Context(), l.Name, nonce); err != nil {
			t.Fatal(err)
		}
		for verb, n := range tab.Requests() {
			if n != 1 {
				t.Errorf("host %s sent %d requests to %s", nonce, n, verb)
			}
		}
	}
}

// Two lock managers over each table: one waits for the other's release, is heard by it,
// and takes over when the other falls silent (SEMANTICS G7).
func TestLockManagers(t *testing.T) {
	t.Parallel()
	times := lockmgr.Timing{Beat: 250 * time.Millisecond, Lease: 4 * time.Second, Delay: 2 * time.Second}
	servers := map[string]func(t *testing.T) func() lockmgr.Table{
		"ministack": onDynamo(suite.DynamoDB), "dynalite": onDynamo(suite.Dynalite), "s3": onS3Mixed,
	}
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := server(t)
			cfg, _, err := open().Init(t.Context(), lockmgr.Config{Timing: times})
			if err != nil {
				t.Fatal(err)
			}
			manager := func(name string) *lockmgr.Manager {
				return lockmgr.New(open(), cfg, lockmgr.Options{BucketID: "b", Name: name, Host: name})
			}
			a, b := manager("a"), manager("b")
			acquire := func(m *lockmgr.Manager) *lockmgr.Lease {
				t.Helper()
				l, err := m.Acquire(t.Context(), "dir/k", time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				return l
			}
			l := acquire(a)
			got := make(chan *lockmgr.Lease, 1)
			go func() {
				l, err := b.Acquire(t.Context(), "dir/k", time.Minute)
				if err != nil {
					t.Error(err)
				}
				got <- l
			}()
			select {
			case <-l.Wanted():
			case <-time.After(10 * time.Second):
				t.Fatal("the holder was not told that another wants the key")
			}
			l.Release()
			lb := <-got
			if t.Failed() {
				return
			}
			lb.Release()

			acquire(a)
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if err := a.Close(gone); err == nil {
				t.Error("a manager with a lease out closed its session")
			}
			began := time.Now()
			acquire(b).Release()
			low := times.Lease + times.Delay - times.Beat // silent since its last beat
			if took := time.Since(began); took < low || took > 30*time.Second {
				t.Errorf("the lock of a silent host was taken after %s, want %s or little more", took, low)
			}
			end, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := b.Close(end); err != nil {
				t.Error(err)
			}
			if s, err := open().GetSession(t.Context(), "b.1"); err != nil || s.State != lockmgr.Closed {
				t.Errorf("session after Close = %+v, %v", s, err)
			}
		})
	}
}
