package fs

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/lockmgr"
)

// Config is what a mount shows and how.
type Config struct {
	Tree     *tree.Tree
	Files    *file.Table
	Reader   *reader.Reader
	History  *history.History
	Versions *Versions // is told of what Files change
	Past     *history.Past
	// DirLabels are the labels of directories; nil: there are none.
	DirLabels DirLabels
	Defaults  file.Defaults
	// Holder tells who has the lock of a key, for the log. Nil: a mount that takes no locks.
	Holder func(ctx context.Context, key string) (lockmgr.Holder, error)
	// UserName gives the name of a user, for commits to carry. Nil: they do not.
	UserName func(uid uint32) string

	// VersionsName is the name by which each directory shows its versions; "": the constant;
	// NoVersions: none does. ShowVersions: readdir shows it.
	VersionsName string
	ShowVersions bool

	// Labels finds versions for .versions/NAME/@LABEL. Nil: there are none.
	Labels history.Labels

	ReadOnly, AllowOther bool
	// NoExec and NoATime are mount(8)'s. There is no access time; the kernel only shows the word.
	NoExec, NoATime bool
	// AsOf is the time as of which everything is shown, read-only; zero: as it is now.
	AsOf time.Time
	// MetadataTTL is how long the kernel may believe names and attributes.
	MetadataTTL time.Duration
	// FsName is what df and /proc/mounts call the mount: its source.
	FsName string
	Log    *slog.Logger
}

// A Server is a file system that is mounted.
type Server struct {
	server *fuse.Server
	front  *front
}

// Wait returns once the mount is gone and no request is being served any more.
func (s *Server) Wait() { s.server.Wait() }

// TellFailures logs how often failures came again since they were logged, which is else done once
// a minute.
func (s *Server) TellFailures() { s.front.said.Tell() }

const (
	// maxWrite is the largest read or write request: the most that Linux allows without a
	// change to /proc/sys/fs/fuse/max_pages_limit.
	maxWrite = 1 << 20
	// maxBackground is how many reads ahead the kernel keeps in flight.
	maxBackground = 64
	// maxInflight bounds the memory in bytes of requests that are being served.
	maxInflight = 64 << 20
	// readAheadKB is how far the kernel reads ahead. The option of INIT is capped at 128 KiB;
	// /sys takes more.
	readAheadKB = 4096
)

// Mount mounts the file system at dir and serves it until it is unmounted.
func Mount(dir string, c Config) (*Server, error) {
	f := newFront(c)
	o := &fuse.MountOptions{
		AllowOther: c.AllowOther,
		// The kernel checks permissions; else there would be an ACCESS request for each step.
		Options: []string{"default_permissions"},
		FsName:  c.FsName, Name: "latchfs",
		MaxWrite: maxWrite, MaxBackground: maxBackground, MaxInflightRequestBytes: maxInflight,
		// Locks that cannot be shared are refused, not left to the kernel (SEMANTICS G8).
		EnableLocks: true,
		// ATOMIC_O_TRUNC: else O_TRUNC comes as a SETATTR of its own, before which nothing may be
		// thrown away. HANDLE_KILLPRIV_V2: else each write asks for security.capability first.
		ExtraCapabilities: fuse.CAP_ATOMIC_O_TRUNC | fuse.CAP_HANDLE_KILLPRIV_V2 | fuse.CAP_READDIRPLUS_AUTO,
		PanicHandler:      f.panicked,
		// All replies are in memory. go-fuse would try to splice them all the same, which cannot
		// work: a reply of maxWrite bytes and its header do not fit into a pipe.
		DisableSplice: true,
		Logger:        slog.NewLogLogger(c.Log.Handler(), slog.LevelInfo),
	}
	o.DirectMountFlags = unix.MS_NOSUID | unix.MS_NODEV
	if c.ReadOnly {
		o.Options = append(o.Options, "ro")
		o.DirectMountFlags |= unix.MS_RDONLY
	}
	if c.NoExec {
		o.Options = append(o.Options, "noexec")
	}
	if c.NoATime && os.Geteuid() != 0 {
		o.Options = append(o.Options, "noatime")
	} else if c.NoATime { // go-fuse takes this word for one of the file system's own
		o.DirectMountFlags |= unix.MS_NOATIME
	}
	if os.Geteuid() == 0 {
		o.DirectMountStrict = true // mount(2) says why it fails; fusermount3 does not
	}
	server, err := fuse.NewServer(f.serve(nil), dir, o)
	if err != nil {
		return nil, err
	}
	// Before the first request is served: the commit rule needs it.
	if err := f.learnDevice(dir); err != nil {
		server.Unmount()
		return nil, err
	}
	go server.Serve()
	if err := server.WaitMount(); err != nil {
		return nil, err
	}
	f.setReadAhead()
	return &Server{server, f}, nil
}

// serve gives the requests of the kernel to the nodes. kernel takes what the nodes tell the
// kernel; nil: the server that mounts it does.
func (f *front) serve(kernel fs.ServerCallbacks) fuse.RawFileSystem {
	zero := time.Duration(0)
	return writeBack{fs.NewNodeFS(f.root(), &fs.Options{
		// Every reply sets its own; where one could be forgotten nothing is believed.
		EntryTimeout: &zero, AttrTimeout: &zero,
		NullPermissions: true,
		RootStableAttr:  &fs.StableAttr{Ino: rootIno},
		ServerCallbacks: kernel,
	})}
}

// root gives the directory that is mounted.
func (f *front) root() fs.InodeEmbedder {
	if !f.asOf.IsZero() {
		return f.pastRoot(f.asOf)
	}
	return &dirNode{f: f, key: f.tree.Root()}
}

// learnDevice finds the device number of the mount, by which descriptors of its files are
// told from others. AT_STATX_DONT_SYNC: the kernel must not ask us, who would have to answer.
func (f *front) learnDevice(dir string) error {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, unix.STATX_TYPE, &st); err != nil {
		return fmt.Errorf("looking at the mount: %w", err)
	}
	f.device.Store(unix.Mkdev(st.Dev_major, st.Dev_minor))
	return nil
}

// setReadAhead raises the kernel's read-ahead, which only root may. Without it large reads
// come in smaller requests.
func (f *front) setReadAhead() {
	dev := f.device.Load()
	name := fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev))
	err := os.WriteFile(filepath.Join("/sys/class/bdi", name, "read_ahead_kb"), []byte(strconv.Itoa(readAheadKB)), 0)
	if err != nil {
		f.log.Debug("the kernel's read-ahead stays as it is", "err", err)
	}
}

// panicked answers a request whose handler panicked.
func (f *front) panicked(v any) fuse.Status {
	f.log.Error("a bug in latchfs: a request failed", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	return fuse.EIO
}
