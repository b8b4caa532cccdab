package file

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// timing are the times of the lock table under a witness: a lost session takes half a minute.
var timing = lockmgr.Timing{Beat: 4 * time.Second, Lease: 16 * time.Second, Delay: 12 * time.Second}

// A mount is a host with a network, a connection to the lock table and a process of its own,
// everything of which a witness sees.
type mount struct {
	*host
	w      *witness
	name   string
	table  *memtable.Table
	mgr    *lockmgr.Manager
	leases *leases
	disk   *disk
	gate   *gate

	ctx  context.Context // of the programs on it
	exit context.CancelFunc

	dead bool // it sends nothing any more
	died time.Time
	// recovering are the dead mounts whose spools this one saves at the moment.
	recovering []*mount
	recovered  *mount    // which one saves this one's at the moment
	saved      bool      // its spool has nothing any more, since it died
	cut        bool      // it has no lock table
	offline    bool      // it has no bucket
	calm       time.Time // since when nothing is wrong with its networks
	losing     map[*live]time.Time
}

// newMount makes a mount.
func (w *witness) newMount() *mount {
	m := &mount{w: w, name: fmt.Sprint("m", len(w.mounts)), table: w.server.Table(), disk: w.platter.disk(), losing: map[*live]time.Time{}}
	w.mounts = append(w.mounts, m)
	m.ctx, m.exit = context.WithCancel(context.Background())
	m.calm = time.Now()
	began := time.Now()
	m.mgr = lockmgr.New(m.table, lockmgr.Config{Schema: 1, Timing: timing, ID: "t"},
		lockmgr.Options{BucketID: "b", Name: m.name, Host: m.name, Now: func() time.Duration { return time.Since(began) }})
	m.leases = &leases{Locks: lease.Manager(m.mgr), held: map[string]*watchedLease{}}
	net := faultstore.New(&recorder{API: w.mem, w: w, m: m})
	m.gate = &gate{API: net, m: m, last: map[string]asked{}, ids: map[string]string{}}
	client := store.New(m.gate, store.Options{Host: m.name, Timing: store.Timing{Quiet: timing.Delay, Stall: timing.Stall()}})
	client.SetFlaws(w.flaws)
	m.host = &host{t: w.t, b: &bucket{Client: client, mem: w.mem, net: net}, dir: "/" + m.name + "/spool", proc: w.proc}
	for _, dir := range []string{"/" + m.name, m.dir} {
		if err := m.disk.Mkdir(dir); err != nil {
			w.t.Fatal(err)
		}
	}
	sp, err := spool.Open(m.dir, spool.Options{FS: m.disk})
	if err != nil {
		w.t.Fatal(err)
	}
	m.spool = sp
	m.Table = NewTable(Options{
		Objects: client, Locks: m.leases, Spool: sp, Reader: reader.New(client, 0),
		Host: m.name, Defaults: Defaults{UID: 1, GID: 2, FileMode: 0o644, DirMode: 0o755},
		LockTimeout:  2 * (timing.Lease + timing.Delay),
		FlushTimeout: 2 * (timing.Stall() + timing.Delay),
		Quiet:        timing.Delay, Proc: procfs.FS(w.proc), Log: slog.New(slog.DiscardHandler),
	})
	return m
}

// kill ends the process of a mount at once: what it sends does not arrive any more, and what is
// on its way may. Its goroutines end in the background.
func (m *mount) kill() {
	m.w.mu.Lock()
	m.dead, m.died = true, time.Now()
	m.w.mu.Unlock()
	m.disk.kill()
	m.table.Partition(true)
	m.exit()
	over, end := context.WithCancel(context.Background())
	end()
	m.w.ending.Go(func() {
		m.Shutdown(over)
		m.mgr.Close(over)
	})
}

func (m *mount) String() string {
	if m == nil {
		return "somebody else"
	}
	return m.name
}

// isCut may be asked from any goroutine.
func (m *mount) isCut() bool {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	return m.cut
}

// isDead may be asked from any goroutine.
func (m *mount) isDead() bool {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	return m.dead
}

// kill ends what the process does to the disk.
func (d *disk) kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}
