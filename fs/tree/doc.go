// Package tree gives the bucket's keys the form of directories. It is the only place where
// names become keys and keys names, and it keeps what listings and HEADs said for a short
// time. Lookup (lookup.go) and List (list.go) ask; Note and Forget (tree.go) tell; Changed and Touch
// (changed.go) are about the times of directories.
//
// # Terms
//
// A directory is named by its key: "" is the bucket's root, "a/b/" a directory below it. It
// is there if an object has that key (its marker) or a longer key begins with it. A name is one
// component of a path; under one name there can be an object ("a"), a directory ("a/"),
// or both.
//
// # What it promises
//
// No answer rests on a request that was sent more than TTL ago. What this mount changed
// itself is told by Note, and counts from then on: a listing or HEAD that was under way at
// that time is corrected by it before anybody sees it. A directory whose last entry this
// mount removed stays, for this mount, until it is removed (lasting.go).
//
// # Both under one name
//
// S3 allows the keys "a" and "a/b" at once, a path does not. The directory then has the name
// and the object is shown with "~file" at its end (shown.go).
//
// # Locks
//
// Tree.mu guards everything that changes. It is a leaf and never held over a request.
package tree
