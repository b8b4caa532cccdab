package integration

import (
	"fmt"
	"testing"
)

// Where a mount does not see the processes of other users (hidepid of proc(5)), it does not take them
// for dead: their close waits for the bucket, and is no EINTR.
func TestCloseOfAHiddenProcess(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	newLocal(e) // bin/
	e.Sh(e.Suite.Root(), "chmod 755 . "+e.Dir)
	o := e.TrySh(e.Dir, fmt.Sprintf(`exec unshare --mount --propagation slave --pid --fork --mount-proc bash -euo pipefail -c '
		mkdir dev own public
		mount -t tmpfs -o dev none dev; mknod -m 666 dev/fuse c 10 229; mount --bind dev/fuse /dev/fuse
		cp /etc/fuse.conf fuse.conf; echo user_allow_other >>fuse.conf; mount --bind fuse.conf /etc/fuse.conf
		mount -o remount,hidepid=2 /proc
		cp -L bin/latchfs bin/latchfs-local public
		mkdir -m 755 own/mnt; chown -R %[1]d own
		owner() { HOME="$PWD/own" setpriv --reuid %[1]d --regid %[1]d --clear-groups "$@"; }
		owner public/latchfs mount --allow-other local:own/data own/mnt
		owner mkdir -m 777 own/mnt/d; owner chmod 777 own/mnt/d
		other() { setpriv --reuid %[2]d --regid %[2]d --clear-groups "$@"; }
		other sh -c "echo text | head -n 1 >own/mnt/d/f" # head tells when close fails
		other cat own/mnt/d/f
		owner public/latchfs umount own/mnt'`, alice, bob))
	if o.Code != 0 || o.Out != "text\n" {
		t.Errorf("exit code %d, %q, %s", o.Code, o.Out, o.Err)
	}
}
