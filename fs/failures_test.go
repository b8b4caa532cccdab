package fs

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/internal/seldom"
)

// A loop of one refused call is one line a minute, which says how often it was. Then the kind is
// forgotten.
func TestARefusalIsLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		f := newFront(Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			got := log.take()
			if len(got) != len(want) {
				t.Fatalf("%q, want %q", got, want)
			}
			for i, w := range want {
				if !strings.Contains(got[i], w) {
					t.Errorf("line %q, want %q", got[i], w)
				}
			}
		}
		for i := range 10_000 {
			f.fail("link", fmt.Sprint("k", i), errHardLink)
			f.fail("mknod", fmt.Sprint("k", i), errNode)
		}
		expect(`msg=refused op=link errno=EPERM key=k0`, `msg=refused op=mknod errno=ENOTSUP key=k0`)
		time.Sleep(seldom.Every - time.Second)
		f.fail("link", "later", errHardLink)
		expect()
		time.Sleep(time.Second + 1)
		synctest.Wait()
		got := log.take()
		slices.Sort(got) // they were due at the same moment
		if len(got) != 2 || !strings.Contains(got[0]+got[1], `msg="refused again" op=link errno=EPERM last=later times=10000`) ||
			!strings.Contains(got[0]+got[1], `op=mknod errno=ENOTSUP last=k9999 times=9999`) {
			t.Errorf("after a minute: %q", got)
		}
		f.fail("link", "x", errHardLink)
		expect()
		time.Sleep(seldom.Every)
		expect(`last=x times=1`)
		time.Sleep(seldom.Every)
		expect()
		f.fail("link", "anew", errHardLink)
		expect(`msg=refused op=link errno=EPERM key=anew`)
	})
}

// What was counted when the mount ends is told then.
func TestWhatWasCountedIsToldAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		f := newFront(Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		for range 3 {
			f.fail("link", "k", errHardLink)
		}
		f.said.Tell()
		f.said.Tell()
		if got := log.take(); len(got) != 2 || !strings.Contains(got[1], "times=2") {
			t.Errorf("logged: %q", got)
		}
		time.Sleep(2 * seldom.Every)
		synctest.Wait()
		if got := log.take(); len(got) > 0 {
			t.Errorf("told once more: %q", got)
		}
	})
}

// Of what could not be saved each file is named, as long as they are few; however many they are,
// the memory and the log that they take stay small.
func TestFailuresOfManyKeysStayFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		f := newFront(Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		cause := errors.New("cause")
		for i := range 10_000 {
			f.fail("close", fmt.Sprint("k", i), cause)
		}
		got := log.take()
		if len(got) != seldom.MaxKeys+1 || !strings.Contains(got[0], "key=k0 ") || !strings.Contains(got[seldom.MaxKeys], fmt.Sprintf("key=k%d ", seldom.MaxKeys)) {
			t.Errorf("%d lines, want %d that name the first files: %q", len(got), seldom.MaxKeys+1, got)
		}
		f.said.Tell()
		want := fmt.Sprintf("last=k9999 times=%d", 10_000-seldom.MaxKeys-1)
		if got := log.take(); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("logged: %q, want %s", got, want)
		}
	})
}

// The level debug has each refusal.
func TestDebugHasEachRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		f := newFront(Config{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		for range 5 {
			f.fail("link", "k", errHardLink)
		}
		if got := strings.Join(log.take(), ""); strings.Count(got, "msg=refused") != 5 || strings.Count(got, "level=INFO") != 1 {
			t.Errorf("logged: %s", got)
		}
		f.said.Tell()
	})
}

// lines is a log that is written by timers, too.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(p))
	return len(p), nil
}

// take gives the lines since the last call.
func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}
