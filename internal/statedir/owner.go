package statedir

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// checkOwner fails unless the state directory belongs to the user or to root, and not everybody may write
// to it. Whoever may could put a session there, which a mount recovers: it saves what is in it, as the
// user of the mount. Or he could let the log be a link to any file.
func checkOwner(stateDir string, uid int) error {
	i, err := os.Stat(stateDir)
	if err != nil {
		return err
	}
	owner := int(i.Sys().(*syscall.Stat_t).Uid)
	switch {
	case owner != uid && owner != 0:
		return fmt.Errorf("it belongs to user %d, who could change what is kept there", owner)
	case i.Mode().Perm()&0o002 != 0:
		return errors.New("everybody may write to it, and could change what is kept there (chmod o-w)")
	}
	return nil
}
