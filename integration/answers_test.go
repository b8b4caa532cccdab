package integration

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/latchfs/latchfs/integration/harness"
)

// passing are answers that the same request would not get again a moment later.
var passing = []struct {
	name  string
	fault harness.Fault
}{
	{"slow down", harness.Busy},
	{"internal error", harness.Internal},
	{"skewed clock", harness.Skewed},
	{"reset", harness.Refuse},
	{"lost answer", harness.LoseReply},
}

// nth makes the nth request of all that it is asked about fail so, and no other one. Those of probes
// do not count: they are many, and have tests of their own.
type nth struct {
	n     int64
	fault harness.Fault
	seen  atomic.Int64
}

func (f *nth) inject(r *http.Request) harness.Fault {
	if !harness.OfProbe(r) && f.seen.Add(1) == f.n {
		return f.fault
	}
	return harness.Pass
}

// behind gives the bucket behind proxies that make the requests to both servers fail so, and change
// those to S3 by rewrite, unless that is nil.
func behind(b *harness.Bucket, fault func(*http.Request) harness.Fault, rewrite func(*http.Request)) *harness.Bucket {
	p := b.Proxy()
	p.Rewrite = rewrite
	p.Inject(fault)
	through := b.Through(p.URL)
	if b.Lock == harness.OnDynamoDB {
		locks := b.LockProxy()
		locks.Inject(fault)
		through = through.LocksThrough(locks.URL)
	}
	return through
}

// eachPassing runs a test for each passing answer and kind of lock table.
func eachPassing(t *testing.T, test func(t *testing.T, lock harness.Lock, fault harness.Fault)) {
	for name, lock := range map[string]harness.Lock{"S3": harness.OnS3, "DynamoDB": harness.OnDynamoDB} {
		for _, p := range passing {
			t.Run(name+" "+p.name, func(t *testing.T) {
				t.Parallel()
				test(t, lock, p.fault)
			})
		}
	}
}

// Whichever request of init gets an answer that would be another a moment later, init makes the
// same and says the same.
func TestInitOutlastsPassingAnswers(t *testing.T) {
	t.Parallel()
	eachPassing(t, func(t *testing.T, lock harness.Lock, fault harness.Fault) {
		e := suite.New(t)
		for n := int64(1); ; n++ {
			b := e.NoBucket(lock, harness.Mortal)
			f := &nth{n: n, fault: fault}
			through := behind(b, f.inject, nil)
			o := through.Latchfs(through.InitArgs()...)
			if o.Code != 0 || strings.Count(o.Out, "created") != 2 || !strings.Contains(o.Out, "bond: wrote") {
				t.Errorf("request %d: exit code %d, said %q, %q", n, o.Code, o.Out, o.Err)
			}
			again := b.Latchfs(b.InitArgs()...)
			if again.Code != 0 || strings.Count(again.Out, "exists") != 2 || !strings.Contains(again.Out, "already") {
				t.Errorf("request %d: init again: exit code %d, said %q, %q", n, again.Code, again.Out, again.Err)
			}
			if f.seen.Load() < n {
				if n < 10 {
					t.Errorf("init sends %d requests", n-1)
				}
				return
			}
		}
	})
}

// The same of mount.
func TestMountOutlastsPassingAnswers(t *testing.T) {
	t.Parallel()
	eachPassing(t, func(t *testing.T, lock harness.Lock, fault harness.Fault) {
		e := suite.New(t)
		b := e.Bucket(lock, harness.Patient)
		for n := int64(1); ; n++ {
			f := &nth{n: n, fault: fault}
			h := behind(b, f.inject, nil).Mount(fmt.Sprintf("host%d", n))
			seen := f.seen.Load()
			h.Umount()
			if seen < n {
				if n < 4 {
					t.Errorf("mount sends %d requests", n-1)
				}
				return
			}
		}
	})
}
