package fs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/latchfs/latchfs/lockmgr"
)

// An open that waits for longer than a second is one line of the log, with the key, who is in the
// way and who waits. Those of one key that follow within a minute are counted.
func TestAnOpenThatWaitsIsLogged(t *testing.T) {
	var holder lockmgr.Holder
	var fails error
	asked := 0
	ask := func(context.Context, string) (lockmgr.Holder, error) {
		asked++
		return holder, fails
	}
	caller := fuse.Caller{Owner: fuse.Owner{Uid: 1234}, Pid: uint32(os.Getpid())}
	who := fmt.Sprintf("pid=%d program=fs.test uid=1234", os.Getpid())
	synctest.Test(t, func(t *testing.T) {
		var log lines
		f := newFront(Config{Holder: ask, Log: slog.New(slog.NewTextHandler(&log, nil))})
		wait := func(key string, d time.Duration, c fuse.Caller) string {
			t.Helper()
			stop := f.sayWaiting(key, c)
			time.Sleep(d)
			synctest.Wait()
			stop()
			return strings.Join(log.take(), "")
		}
		if got := wait("k", waitSaid-1, caller); got != "" || asked != 0 {
			t.Errorf("a short wait: %q, asked %d times", got, asked)
		}
		holder = lockmgr.Holder{Host: "two", User: "root", PID: 7}
		if got, want := wait("k", waitSaid, caller), `msg="an open waits" op=open key=k holder="two (root, pid 7)" `+who; !strings.Contains(got, want) || strings.Count(got, "\n") != 1 {
			t.Errorf("a long wait: %q, want %q", got, want)
		}
		if got := wait("k", 2*waitSaid, caller); got != "" {
			t.Errorf("another one for the same key: %q", got)
		}
		holder.Own = true
		if got, want := wait("own", waitSaid, fuse.Caller{}), `key=own holder="this mount" pid=0 program="" uid=0`; !strings.Contains(got, want) {
			t.Errorf("a lock of this mount, a caller that cannot be seen: %q, want %q", got, want)
		}
		holder, fails = lockmgr.Holder{}, errors.New("table away")
		if got, want := wait("away", waitSaid, caller), `key=away err="table away" `+who; !strings.Contains(got, want) {
			t.Errorf("the table is out of reach: %q, want %q", got, want)
		}
		fails = lockmgr.ErrClosed
		if got := wait("end", waitSaid, caller); got != "" {
			t.Errorf("at the end of the mount: %q", got)
		}
		f.said.Tell()
		if got, want := strings.Join(log.take(), ""), `msg="an open waits again" op=open last=k times=1 holder=`; !strings.Contains(got, want) {
			t.Errorf("told at last: %q, want %q", got, want)
		}
		f.holder = nil
		if got := wait("k", 2*waitSaid, caller); got != "" {
			t.Errorf("without locks: %q", got)
		}
	})
}
