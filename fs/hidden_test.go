package fs

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// A directory that shows nothing and cannot be removed: the log has one line that names a key which
// keeps it, however often somebody tries.
func TestRmdirOfHiddenKeysIsExplained(t *testing.T) {
	for key, want := range map[string]int{
		"d//x": 1, "d/./x": 1, "d/" + strings.Repeat("n", 256): 1,
		"d/":            1, // a marker with bytes
		"d/.versions/x": 1, "d/.versions": 1,
		"d/x": 0, "d/x/y": 0,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.bucket.PutForeign(key, "theirs")
			w.find(root, "d")
			for range 3 {
				if s := w.rmdir(root, "d"); s != fuse.Status(unix.ENOTEMPTY) {
					t.Errorf("%q: rmdir: %v", key, s)
				}
			}
			log := w.log.String()
			if got := strings.Count(log, "msg=refused op=rmdir"); got != want {
				t.Errorf("%q: %d lines, want %d:\n%s", key, got, want, log)
			}
			if want > 0 && (!strings.Contains(log, "remove it with the tool that made it") || !strings.Contains(log, key)) {
				t.Errorf("%q is not named in\n%s", key, log)
			}
		})
	}
}
