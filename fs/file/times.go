package file

import "time"

// Every time that this package waits, besides those that Options give. What breaks if one is
// shorter stands in docs/LOCKS.md.
const (
	// NameWait is how long what runs under the kernel's lock of a directory waits for a lease
	// and for a commit (create, unlink, rename, mkdir, rmdir, symlink): longer would freeze ls
	// and stat there (LOCKS P2).
	NameWait = time.Second
	// unknownWait is how long unlink, rename and the like wait for an outcome that has become
	// unknown (LOCKS P4.2).
	unknownWait = time.Second
	// reachWait is how long they try to reach the store, or wait for the next progress of a
	// large copy.
	reachWait = 10 * time.Second
	// nonBlockWait is how long an open with O_NONBLOCK waits for the lease: touch and tar open
	// so, and a lease that was just closed is on its way (LOCKS P2).
	nonBlockWait = 2 * time.Second
	// staleLinger is how long the lease of an open that did not find what the kernel knows stays
	// for the kernel's second try, also when another host wants it: what that try finds must
	// still be true when it opens. It is less than NameWait, so that nobody fails for it.
	staleLinger = NameWait / 2

	// relockWait is how long the lease of a lost session is asked for again. Others need the op
	// lock of the file meanwhile.
	relockWait = time.Second
	// provePause is the pause between two looks at a lease that is not proved valid: a good
	// heartbeat may revive it.
	provePause = 200 * time.Millisecond
	// tablePause is the pause between two tries to reach the lock table.
	tablePause = 2 * time.Second

	// retryPause is the pause before a commit that failed is tried again. A close or fsync that
	// asks ends it.
	retryPause = time.Second
	// reportEvery is the time between two log lines of a commit that takes long.
	reportEvery = 10 * time.Second
)
