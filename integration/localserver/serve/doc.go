// Package serve runs the S3 server of one folder.
//
// What lies in the folder:
//
//	index.db     the index of flatstore
//	objects/     the contents
//	server.json  where the server answers, and with which keys (mode 0600). It is written
//	             once the server answers. Address and keys stay the same over restarts.
//	lock         the server's flock: one server per folder
//	users        every user holds a shared flock on it for as long as it lives; the
//	             server leaves some time after it could take it exclusively
//	server.log   what the server says, begun anew when it gets long (then server.log.old
//	             is what was said before)
package serve
