package file

import (
	"testing"
	"testing/synctest"
)

// A File that a caller uses stays in the table, whoever else has opened and closed it before:
// else the next open would make a second File of one key.
func TestOneFileForOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("f", "base")
		r := h.open("f", "r")
		if err := h.close(h.open("f", "r+")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f, err := h.enter("f")
		if err != nil {
			t.Fatal(err)
		}
		h.close(r)
		g, err := h.enter("f")
		if err != nil {
			t.Fatal(err)
		}
		if f != g {
			t.Errorf("two files of one key; users %d", f.users)
		}
		f.leave()
		g.leave()
		if len(h.files) != 0 {
			t.Error("the file stays")
		}
	})
}
