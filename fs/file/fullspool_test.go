package file

import (
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
