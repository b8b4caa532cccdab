// Package mount is one mount on this host, from the bucket up, and its life.
//
// Start checks what it can without touching anything, builds the layers over the volume
// and mounts them: session directory and spool, locks, reader, names and open files, the
// kernel front (assemble.go). If a step fails, everything before it is undone. From the
// moment that the kernel has the mount programs may have written to it, and then it ends
// as by a signal, whatever fails.
//
// Before it mounts, and as long as it lives, a mount brings home what dead mounts of the
// same bucket left on this host (recover.go). Serve waits for the end, and the end is the
// same whether umount(8), Unmount or a signal brings it (finish.go).
//
// Unmount is the other side: what another process does to end a mount and to wait until
// everything is in the bucket. It finds the session by what the kernel shows at the mount point
// (find.go), in the state directories that the mounts of this host have entered into the registry
// (enter.go).
package mount
