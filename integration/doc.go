// Package integration tests the whole program: the real binaries, real kernel mounts
// and real servers, one process per host.
//
// The tests run on Linux with /dev/fuse. The package harness starts what they need and
// fails on whatever a test leaves behind. Tests named TestG1... to TestG9... prove the
// guarantees of docs/SEMANTICS.md; the ones named TestSoak... take minutes and much disk.
package integration
