package fs

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/internal/seldom"
	"github.com/latchfs/latchfs/lockmgr"
)

// A front is what all nodes of one mount share.
type front struct {
	tree     *tree.Tree
	files    *file.Table
	reader   *reader.Reader
	history  *history.History
	past     *history.Past
	labels   history.Labels // nil: there are none
	defaults file.Defaults
	holder   func(ctx context.Context, key string) (lockmgr.Holder, error) // nil: there are no locks
	userName func(uid uint32) string                                       // nil: commits do not carry it
	// versionsName is the name of the view of each directory; "": there is none.
	versionsName string
	showVersions bool // readdir shows the view
	readOnly     bool
	asOf         time.Time // zero: everything is shown as it is now
	ttl          time.Duration
	log          *slog.Logger
	proc         procfs.FS
	began        time.Time // shown as the time of directories that have none

	device    atomic.Uint64 // st_dev of the mount
	locksSaid sync.Once
	said      *seldom.Log // what may come again and again
	stale     staleCalls
	*Versions
	ages      ages
	pastAhead pastAhead
	dirLabels DirLabels // nil: there are none

	mu      sync.Mutex // taken before fileNode.mu
	current map[string]node
	numbers map[uint64][]node // the nodes that the kernel knows, by their inode numbers
	gen     uint64
}

func newFront(c Config) *front {
	return &front{
		tree: c.Tree, files: c.Files, reader: c.Reader, history: c.History, past: c.Past, labels: c.Labels, defaults: c.Defaults, holder: c.Holder, userName: c.UserName,
		versionsName: viewName(c.VersionsName), showVersions: c.ShowVersions, readOnly: c.ReadOnly, asOf: c.AsOf, ttl: c.MetadataTTL, log: c.Log, began: time.Now(), proc: procfs.Default,
		said:     seldom.New(c.Log),
		stale:    staleCalls{m: make(map[staleCall]secondTry)},
		Versions: cmp.Or(c.Versions, NewVersions()),
		ages:     ages{m: make(map[string]moment)}, pastAhead: pastAhead{m: make(map[string]*coming)}, dirLabels: c.DirLabels,
		current: make(map[string]node), numbers: make(map[uint64][]node),
	}
}

// viewName is the name of the view, "" if there is none, by what the mount was told.
func viewName(told string) string {
	if told == NoVersions {
		return ""
	}
	return cmp.Or(told, VersionsName)
}
