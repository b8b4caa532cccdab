// Package statedir keeps the session directories of the mounts of this host.
//
// Below a state directory every mount has a directory of its own, named after its
// lock manager:
//
//	<state-dir>/<name>/lock         flocked for as long as the mount's process lives
//	<state-dir>/<name>/mount.json   what is mounted where (Mount)
//	<state-dir>/<name>/spool/       accepted bytes that are not in the bucket yet
//
// To obtain the flock of such a directory is the only proof that its session is dead:
// boot ids and pids prove nothing in containers (LOCKS P1). A directory appears under
// its name only when it is locked and described, and nobody but the holder of its lock
// writes to it or removes it.
//
// A state directory belongs to one host. A copy of one taken from a running machine
// (a cloned disk image) lets the copy take locks whose sessions live on in the original;
// the conditions on every write then still prevent lost updates.
package statedir
