// Package fs is the kernel front: go-fuse nodes and handles over the table of open files
// (fs/file), the names (fs/tree) and the versions (fs/history). It translates and decides
// nothing that concerns the bucket.
//
// # Nodes
//
// A dirNode is a directory, a fileNode a regular file or a symlink. A fileNode belongs to one object
// as long as it is the same object: Lookup returns the known node while the version it shows is the one
// that was found, or while one of its descriptors follows the file that is live under the
// name, and makes a new one otherwise (node.go, identity.go). So the kernel's pages of a node
// are always those of one version and of what was written to it here.
//
// .versions is a viewNode, each name in it a nameNode (versions_node.go), with a versionNode for each
// version (versions_file.go) and aliasNodes for the words that stand for one (versions_alias.go). What
// was listed a moment ago is kept for the look-ups that follow (versions_lists.go, versions_beginnings.go).
//
// Unlink, rmdir and rename take the names from the nodes that had them when they were asked,
// once the change has landed, which may be after the caller got an error (landing.go).
//
// # What the kernel knows
//
// Each fileNode remembers the version whose attributes the kernel has (seen) and the one
// whose pages it has (pages). An open that finds another version than seen answers ESTALE,
// once: Linux looks the name up again and repeats the open, unseen by the program
// (stale.go). Without that an append would go to the offset of an old size.
//
// # The past
//
// Below .versions/@ the nodes are a pastDir for a directory and a pastFile for what is in one (past.go),
// each of one time and one version, so that they never change. Which version a name had is for
// history.Past to say. A mount as of a time has a pastDir as its root, and no other nodes.
//
// # Who may
//
// The kernel judges its callers by the attributes that it is told. Only an open of a version is
// judged here, too, by what is under the names now (present.go, permission.go).
//
// # Numbers and times
//
// An inode number is that of the key (file.Number) or, after a rename, the one in the metadata;
// a node whose number another live node has gets a further one (identity.go). The times of a file
// are derived in file.Table.Attributes alone.
//
// Those of a directory are the times of its marker, or of the mount where it has none, until its
// entries change (dirtimes.go). What this mount changes counts when it is done. What others
// change shows only in what the bucket lists, now against before, and then changes the directory
// at the time when it was noticed; so a name that appeared counts like one that vanished, which
// leaves no trace in the bucket. FUSE does not say who wants to know the times, thus each look-up
// of a directory asks for its first page (tree/changed.go), and GETATTR of the root, which no
// look-up precedes, once somebody has read it. In a directory of more than a page changes show
// when it is listed. What happened while nothing was mounted shows as far as LastModified tells.
//
// # Who is killed
//
// What waits long ends when its caller is being killed (opctx.go). The kernel tells nothing of
// a process that exits, so we look at its exit code and its pending signals (killed.go).
//
// # The log
//
// What is refused or fails is logged where it becomes an errno (errno.go), once a minute for each
// kind (failures.go, internal/seldom): any user may ask for it as often as he likes. An open that waits for a lock
// says so while it waits (waiting.go).
//
// # Locks
//
//	front.mu       the maps of current nodes and taken inode numbers
//	  fileNode.mu  what is known of one node
//	versionLists.mu, beginnings.mu, staleCalls.mu, ages.mu, landing.mu, seldom.Log  leaves
//
// None is held over the bucket, the lock table, a call of the table of open files or a
// notification to the kernel.
package fs
