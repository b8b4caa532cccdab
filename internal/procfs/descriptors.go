package procfs

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// CloseOnExec keeps the descriptors that this process was given beside the standard ones from the
// programs that it starts: a daemon would hold them for as long as it lives, and with them the locks and
// the open files of the shell or cron job that mounted. What is passed to a program on purpose
// (exec.Cmd.ExtraFiles) is not touched.
func CloseOnExec() error {
	if err := unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("keeping descriptors from a new program: %w", err)
	}
	return nil
}
