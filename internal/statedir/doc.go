// Package statedir keeps the session directories of the mounts of this host.
//
// Below a state directory every mount has a directory of its own, named after its
// lock manager:
//
//	<state-dir>/<name>/lock         flocked for as long as the mount's process lives
//	<state-dir>/<name>/machine      on which machine it was made
//	<state-dir>/<name>/mount.json   what is mounted where (Mount)
//	<state-dir>/<name>/spool/       accepted bytes that are not in the bucket yet
//
// To obtain the flock of such a directory is the only proof that its session is dead:
// boot ids and pids prove nothing in containers (LOCKS P1). A directory appears under
// its name only when it is locked and described, and nobody but the holder of its lock
// writes to it or removes it. Until then, and while it is removed, its name begins with
// ".new-". Such a directory is removed by whoever finds it when it is old, has nothing in
// it but what is ours, and its lock is a proof as above.
//
// # Where a flock is no proof
//
// A state directory belongs to one host. If several machines can use its file system, and
// one does not see the locks of the other, the other would recover a session that lives.
// Two checks keep it from that.
//
// The file system (filesystem.go): where several machines can use it, its type or its mount
// options have to show that a flock holds for all of them, else no session is made there
// and none is taken (ErrLocalLocks).
//
// The machine (machine.go): a session that was surely made on another machine is not taken
// (ErrOtherMachine). This catches file systems that are not known here, and locks that a
// server lost while it could not reach their owner. Surely means that both ids differ. The
// boot id alone differs after each start of the same machine, the machine id alone in
// another container of it, and a container may have no machine id; all of these are
// recovered.
//
// So the second check can refuse what is in fact dead: a disk that was moved to a new
// machine, an installation that was made anew, a new container with another machine id after
// the machine was started anew, or containers that have boot ids of their own, as LXC gives them.
// Nothing that runs can tell these from another machine that is alive; a person can. The
// error names the file that says where the session was made: without it, nobody asks, and
// the next look recovers the session. In the same way a session on a refused file system is
// recovered once its directory was moved to a state directory on a local disk.
//
// A copy of a state directory taken from a running machine (a cloned disk image) lets a
// copy with the same machine id take locks whose sessions live on in the original; the
// conditions on every write then still prevent lost updates.
package statedir
