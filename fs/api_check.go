package fs

import "github.com/hanwen/go-fuse/v2/fs"

// Everything that the kernel may ask of a node or handle, on one page. What is not here is
// answered by go-fuse: Access is never asked (default_permissions); Tmpfile, Allocate,
// CopyFileRange and Ioctl are refused, and programs and the kernel do without; Lseek knows
// no holes; Statx falls back to Getattr.

type directory interface {
	node
	fs.NodeOnForgetter
	fs.NodeStatfser
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeLookuper
	fs.NodeOpendirHandler
	fs.NodeCreater
	fs.NodeMkdirer
	fs.NodeMknoder // regular files only
	fs.NodeSymlinker
	fs.NodeUnlinker
	fs.NodeRmdirer
	fs.NodeRenamer       // files only
	fs.NodeLinker        // refused
	fs.NodeGetxattrer    // none is there
	fs.NodeSetxattrer    // refused
	fs.NodeRemovexattrer // none is there
}

type regular interface {
	node
	fs.NodeOnForgetter
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeReadlinker
	fs.NodeOpener
	fs.NodeGetlker       // refused
	fs.NodeSetlker       // refused
	fs.NodeSetlkwer      // refused
	fs.NodeGetxattrer    // xattr_own.go
	fs.NodeSetxattrer    // refused
	fs.NodeRemovexattrer // refused
}

type openFile interface {
	fs.FileReader
	fs.FileWriter
	fs.FileFlusher
	fs.FileFsyncer
	fs.FileReleaser
}

type openDirectory interface {
	fs.FileReaddirenter
	fs.FileLookuper
	fs.FileSeekdirer
	fs.FileReleasedirer
	fs.FileFsyncdirer
}

// viewDirectory is a directory of .versions: everything that changes it is refused.
type viewDirectory interface {
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeLookuper
	fs.NodeOpendirHandler
	fs.NodeCreater
	fs.NodeMkdirer
	fs.NodeMknoder
	fs.NodeSymlinker
	fs.NodeLinker
	fs.NodeUnlinker
	fs.NodeRmdirer
	fs.NodeRenamer
	fs.NodeGetxattrer
	fs.NodeSetxattrer
	fs.NodeRemovexattrer
}

type version interface {
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeOpener
	fs.NodeGetxattrer
	fs.NodeSetxattrer
	fs.NodeRemovexattrer
}

// past is a directory of the past.
type past interface {
	viewDirectory
	fs.NodeStatfser
}

// pastObject is a file or a symlink of the past.
type pastObject interface {
	version
	fs.NodeReadlinker
}

// link is a symlink of a view.
type link interface {
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeReadlinker
	fs.NodeGetxattrer
	fs.NodeSetxattrer
	fs.NodeRemovexattrer
}

var (
	_ directory       = (*dirNode)(nil)
	_ regular         = (*fileNode)(nil)
	_ openFile        = (*handle)(nil)
	_ openDirectory   = (*dirHandle)(nil)
	_ viewDirectory   = (*viewNode)(nil)
	_ viewDirectory   = (*nameNode)(nil)
	_ viewDirectory   = (*timesNode)(nil)
	_ link            = (*timeLink)(nil)
	_ past            = (*pastDir)(nil)
	_ pastObject      = (*pastFile)(nil)
	_ version         = (*versionNode)(nil)
	_ link            = (*aliasNode)(nil)
	_ fs.FileReader   = (*versionHandle)(nil)
	_ fs.FileReleaser = (*versionHandle)(nil)
)
