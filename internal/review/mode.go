package review

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/store"
)

// Mode is the st_mode that the version says of itself; ok is false if it says none. Other tools leave
// the type out.
func (e Entry) Mode() (mode uint32, ok bool) {
	if e.Posix.Has&store.HasMode == 0 {
		return 0, false
	}
	if mode = e.Posix.Mode; mode&unix.S_IFMT == 0 {
		if strings.HasSuffix(e.Info.Key, "/") {
			return mode | unix.S_IFDIR, true
		}
		return mode | unix.S_IFREG, true
	}
	return mode, true
}
