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
// # Looking ahead
//
// Programs list a directory and then ask for one name of it after the other. A look-up that
// follows an earlier one in the order of a listing has the names behind it looked up in the
// background (ahead.go), Options.Ahead at a time for the whole mount: S3 counts requests by
// prefix, the mount has one set of connections, and a bound for each directory would be none
// for a program that reads a hundred of them. Nothing waits for a free place. So a reader who
// left costs nothing beyond what is under way, and a listing that nobody follows nothing at all.
//
// An answer from ahead is as old as its request, like any other. Hence a slow reader gets a
// smaller window, and before the listing of a walk is too old, or at its end, the part of the
// directory behind the reader is listed again, one request for up to 1,000 names. Such parts
// also serve those who look up names in their order without having listed.
//
// With no TTL nothing is known, and nothing is looked up ahead.
//
// # What a listing is believed
//
// There are three kinds, all of them in listing.go, and none is believed for longer than the TTL:
//
//	asked for by                      shows a name   does not show it   List answers with it
//	List                              yes            yes                yes
//	a look-up of the directory        yes            no                 yes, if it is whole
//	ourselves, ahead of a reader      yes            no                 no
//
// That a name is absent is believed only where a program looked for it or listed: the other two, the
// pages, tell nothing of names that they do not show, and what had gone when it was looked up ahead
// is asked for again. So what another host has made is there for everybody who opens it and did not
// look before (SEMANTICS G2), while the names that a directory shows may be as old as the TTL.
// A directory's times are those of the listing that List answers with (changed.go).
//
// # Locks
//
// Tree.mu guards everything that changes. It is a leaf and never held over a request.
package tree
