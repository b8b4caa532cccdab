package mount

import (
	"time"

	lfs "github.com/latchfs/latchfs/fs"
	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/store"
)

// Options say what is mounted where, and how.
type Options struct {
	Source     volume.Source
	Access     volume.Access
	Mountpoint string // absolute
	StateDir   string // absolute
	Version    string // of this program, for the lock session
	FsName     string // what df and findmnt call it; "": the source

	// LockTimeout and FlushTimeout are 0 where they follow from the lock table's times.
	LockTimeout, FlushTimeout time.Duration
	MetadataTTL               time.Duration // how long names and attributes are believed; may be 0
	SpoolLimit                int64         // bytes; 0: a share of what is free

	UID, GID          uint32 // of objects that name none, like the modes
	FileMode, DirMode uint32 // permission bits
	Umask             uint32 // is taken from both modes
	AllowOther        bool
	ReadOnly          bool
	Audit             store.AuditLevel // what each commit says of its author
	NoExec, NoATime   bool             // as in mount(8)
	// AsOf: everything is shown as it stood at this time; zero: as it is. Such a mount is ReadOnly.
	AsOf time.Time
	// AcceptDegraded: a server that ignores the conditions of DELETE is mounted all the same.
	AcceptDegraded bool

	// VersionsDir is the name by which each directory shows its versions; "": the default;
	// NoVersionsDir: none does. ShowVersions: it is listed.
	VersionsDir  string
	ShowVersions bool

	// Stopping is called once, when a mount that is served begins to end; nil: nobody asks.
	Stopping func()
}

// Values of VersionsDir.
const (
	DefaultVersionsDir = lfs.VersionsName
	NoVersionsDir      = lfs.NoVersions
)
