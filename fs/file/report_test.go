package file

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// While the bucket does not answer the log tells of some files that wait for it, however many they are;
// when those are saved, others get their place.
func TestReportsOfManyFilesAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		log := h.logged()
		end := h.b.outage()
		for i := range 100 {
			x := h.open(fmt.Sprint("n", i), "c")
			h.write(x, "text", 0)
			x.Release()
		}
		time.Sleep(3*reportEvery + reportEvery/2)
		synctest.Wait()
		if n := strings.Count(log.String(), "saving a file goes on"); n != 3*mostReports {
			t.Errorf("%d lines in three times %v:\n%s", n, reportEvery, log)
		}
		end()
		time.Sleep(time.Minute)
		if n := len(h.Pending()); n != 0 {
			t.Errorf("%d files are not saved", n)
		}
		if n := h.reports.Load(); n != 0 {
			t.Errorf("%d places are taken", n)
		}
	})
}
