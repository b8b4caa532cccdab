package file

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/spool"
)

// While the spool is full a loop that makes files is refused, and leaves nothing: none of them waits for
// room, and the log has no line for each. When there is room again files are made.
// SEMANTICS G5
func TestNoFilesAreMadeWhileTheSpoolIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.restart(spool.Options{FS: newPlatter().disk(), Limit: 64 << 10})
		log := h.logged()
		full := h.open("full", "c")
		for n, off := 32<<10, 0; n > 0; n /= 2 {
			for err := error(nil); err == nil; off += n {
				_, err = full.Write(make([]byte, n), int64(off))
			}
		}
		refused := 0
		for i := range 1000 {
			if _, err := h.tryOpen(fmt.Sprint("n", i), "c"); errors.Is(err, ErrNoSpace) {
				refused++
			}
		}
		synctest.Wait()
		if refused != 1000 {
			t.Errorf("%d of 1000 files were not made", refused)
		}
		if n := len(h.files); n != 1 {
			t.Errorf("the table has %d files", n)
		}
		if n := strings.Count(log.String(), "\n"); n > 2 {
			t.Errorf("%d lines:\n%s", n, log)
		}
		if err := h.close(full); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // what it took goes in the background
		if err := h.close(h.open("later", "c")); err != nil {
			t.Error(err)
		}
	})
}

// A full spool refuses a new file when it is made, not at its close: until there is room nobody
// could save it, and an unmount would wait for it for ever.
func TestNoSpaceForANewFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		h.restart(spool.Options{Limit: 24 << 10})
		x := h.open("a", "c")
		h.write(x, "12345678", 0)
		if _, err := h.tryOpen("b", "c"); !errors.Is(err, ErrNoSpace) {
			t.Errorf("a new file: %v", err)
		}
		if err := h.close(x); err != nil {
			t.Errorf("close: %v", err)
		}
		time.Sleep(time.Second) // what it took goes in the background
		x = h.open("b", "c")
		h.write(x, "now", 0)
		if err := h.close(x); err != nil {
			t.Errorf("close: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		if left, err := h.Shutdown(ctx); err != nil || len(left) > 0 || time.Since(began) > time.Minute {
			t.Errorf("shutdown: %v, %v after %v", left, err, time.Since(began))
		}
		if h.b.get("a") != "12345678" || h.b.get("b") != "now" {
			t.Errorf("the bucket has %q and %q", h.b.get("a"), h.b.get("b"))
		}
	})
}
