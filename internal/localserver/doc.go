// Package localserver finds, starts and watches latchfs-local, the embedded S3 server
// over a folder that local:DIR mounts.
//
// The server is a program of its own (integration/localserver), one per folder, shared
// by all mounts of that folder and outliving each of them. What it and its users agree
// on lies in the folder:
//
//	DIR/server.json   where it answers and with which keys; written, mode 0600, once it
//	                  answers; address and keys survive its restarts
//	DIR/users         every user holds a shared flock on it for as long as it lives; the
//	                  server leaves 10 s after it could take it exclusively
//	DIR/lock          the server's own flock: one server per folder
//	DIR/server.err    what it says on standard error: why it did not start, or a crash
//
// A server that dies is started again, by whichever of its users sees it first; the
// servers that lose the race for DIR/lock end by themselves.
package localserver
