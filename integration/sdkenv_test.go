package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// sdkSettings are the variables by which the SDK retries more often or sooner, and gives up sooner.
var sdkSettings = []string{"AWS_NEW_RETRIES_2026=true", "AWS_ENABLE_DEFAULT_SOCKET_TIMEOUT_2026=true",
	"AWS_MAX_ATTEMPTS=5", "AWS_RETRY_MODE=adaptive", "AWS_DEFAULTS_MODE=mobile"}

// sent are the requests of one kind that a server got.
type sent struct {
	kind  func(*http.Request) bool
	fault harness.Fault // of the first

	mu    sync.Mutex
	times []time.Time
	ids   []string // of the SDK's call that each is an attempt of
	left  time.Duration
}

func (s *sent) inject(r *http.Request) harness.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.kind(r) {
		return harness.Pass
	}
	s.times = append(s.times, time.Now())
	s.ids = append(s.ids, r.Header.Get("Amz-Sdk-Invocation-Id"))
	if len(s.times) > 1 {
		return harness.Pass
	}
	if began := s.times[0]; s.fault == harness.Hang {
		// Only behind the body net/http notices that the client goes.
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return s.fault
		}
		go func() {
			<-r.Context().Done() // the client has given up
			s.mu.Lock()
			defer s.mu.Unlock()
			s.left = time.Since(began)
		}()
	}
	return s.fault
}

// again fails until there was a second request.
func (s *sent) again() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.times); n < 2 {
		return fmt.Errorf("%d attempts", n)
	}
	return nil
}

// Nothing in the environment that the SDK knows changes how often a change is sent, how long it may
// take or when it comes again: a retry of the SDK's would be a second attempt of which nobody here
// knows.
// SEMANTICS G1
func TestSDKSettingsChangeNoAttempt(t *testing.T) {
	t.Parallel()
	target := func(r *http.Request, action string) bool {
		return strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+action)
	}
	// The first writes of a mount to its lock table are its session, and then the lock.
	session := func(r *http.Request) bool { return target(r, "UpdateItem") }
	put := func(r *http.Request) bool { return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/f") }
	remove := func(r *http.Request) bool {
		return r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, "/f")
	}
	// It is answered EIO after a second, and is not to come true later.
	const failedUnlink = "S3 deletion, internal error"
	for _, c := range []struct {
		name  string
		kind  func(*http.Request) bool
		fault harness.Fault
		// On S3: how long the first may take, and how long after its end the second comes at least.
		attempt, pause time.Duration
	}{
		{"S3 internal error", put, harness.Internal, 0, harness.Mortal.Delay},
		{"S3 slow down", put, harness.Busy, 0, 0},
		{"S3 no answer", put, harness.Hang, harness.Mortal.Delay / 3, harness.Mortal.Delay},
		{"S3 reset", put, harness.Refuse, 0, 0},
		{failedUnlink, remove, harness.Internal, 0, harness.Mortal.Delay},
		{"DynamoDB internal error", session, harness.Internal, 0, 0},
		{"DynamoDB throttled", session, harness.Busy, 0, 0},
		{"DynamoDB no answer", session, harness.Hang, 0, 0},
	} {
		for name, env := range map[string][]string{"plain": nil, "set": sdkSettings} {
			t.Run(c.name+" "+name, func(t *testing.T) {
				t.Parallel()
				e := suite.New(t)
				s := &sent{kind: c.kind, fault: c.fault}
				h := behind(e.Bucket(harness.OnDynamoDB, harness.Mortal), s.inject, nil).Host("one").Expect("heartbeat failed|EIO|saved|outcome")
				h.Env = env
				h.Mount()
				f := newFiles(e)
				f.mustPut(h.Path("f"), "f\n")
				if _, err := f.call(fileCall{Op: "unlink", Path: h.Path("f")}); err != nil && err != unix.EIO {
					t.Errorf("unlink: %v", err)
				}
				if c.name != failedUnlink {
					e.Eventually(20*time.Second, s.again)
				}
				h.Umount()
				s.mu.Lock()
				defer s.mu.Unlock()
				seen := map[string]bool{}
				for i, id := range s.ids {
					if id == "" || seen[id] {
						t.Errorf("attempt %d of %d is a retry of the SDK's", i+1, len(s.ids))
					}
					seen[id] = true
				}
				want := 2
				if c.name == failedUnlink {
					want = 1
				}
				if n := len(s.times); n != want && !strings.HasPrefix(c.name, "DynamoDB") { // which goes on with heartbeats
					t.Errorf("%d attempts", n)
				}
				if c.name == failedUnlink {
					return
				}
				if between := s.times[1].Sub(s.times[0]); between < c.pause || between > c.attempt+c.pause+5*time.Second {
					t.Errorf("the second attempt comes %s after the first", between)
				}
				if c.attempt > 0 && (s.left < c.attempt-50*time.Millisecond || s.left > c.attempt+2*time.Second) {
					t.Errorf("an attempt without an answer is given up after %s, want %s", s.left, c.attempt)
				}
			})
		}
	}
}
