package file

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// The times of the lock table of a sweep.
const (
	sweepBeat  = 4 * time.Second
	sweepLease = 16 * time.Second
	sweepDelay = 12 * time.Second
	// stepPause is the time between two steps of a script. No beat falls into the same moment
	// as a step.
	stepPause = 1370 * time.Millisecond
)

// A plan is what goes wrong in one run.
type plan struct {
	effect  effect
	trouble trouble
}

// A sweep is one run of a script on two hosts.
type sweep struct {
	*testing.T
	mem    *memstore.Bucket
	server *memtable.Server
	proc   string
	plan   *plan // nil: nothing goes wrong
	a, b   *box
	ending sync.WaitGroup // of dead sessions, and of requests that are late

	mu      sync.Mutex // guards what follows
	step    int
	seen    map[effect]int
	effects []effect // in the order in which they happened
	fired   bool     // the plan was carried out
	over    bool     // the script is through
	story   []string // what the programs did, and were answered
	wrong   []string

	// The fields below belong to the goroutine of the script.

	moments []*moment
	known   map[string]*moment // versions in the bucket, by id
	keys    []string           // that the programs have used, in order
	modes   uint32             // that were given out
	tokens  int
	freshly bool // nothing may go wrong any more
	// What the script says of itself.

	rivals   bool              // somebody changes the bucket who knows of no locks
	keeps    int               // how many files are kept, if nothing goes wrong
	expected bool              // some calls fail also if nothing goes wrong
	only     func(effect) bool // the side effects that matter; nil: all
}

// A box is a machine, which has one mount at a time.
type box struct {
	w       *sweep
	name    string
	disks   *platter
	mounts  int
	session *session
	// left are sessions that did not end well, whose spools are not recovered yet; guarded by
	// sweep.mu.
	left []*session

	isCut     bool // it has no lock table; guarded by sweep.mu
	isOffline bool // it has no bucket; guarded by sweep.mu
	isSlow    bool // its changes of the bucket land late; guarded by sweep.mu
}

// A session is one mount of a box, from its start to its end or death.
type session struct {
	*Table
	w     *sweep
	box   *box
	dir   string
	disk  diskLink
	spool *spool.Spool
	locks *lockmgr.Manager
	net   *faultstore.Store
	ctx   context.Context // of the programs on it
	exit  context.CancelFunc
	ready chan struct{} // closed once the session is made, or could not be
	// stopRecovery ends what saves the spools of dead sessions; nil if nothing does.
	stopRecovery func()

	open     map[*File]*opened // what is open for write
	programs []*program        // with a descriptor

	dead  bool // guarded by sweep.mu
	alone bool // its spool is not recovered before the end; guarded by sweep.mu
}

func newSweep(t *testing.T, proc string, p *plan) *sweep {
	w := &sweep{
		T: t, mem: memstore.New(memstore.Options{Versioned: true}), server: memtable.NewServer(), proc: proc, plan: p,
		seen: map[effect]int{}, known: map[string]*moment{},
	}
	w.a = &box{w: w, name: "A", disks: newPlatter()}
	w.b = &box{w: w, name: "B", disks: newPlatter()}
	return w
}

// mount begins a session and recovers what sessions before it have left. All is within its reach.
func (b *box) mount() {
	w := b.w
	w.mu.Lock()
	b.heal()
	w.mu.Unlock()
	for b.session == nil {
		w.do(b, "mounts", func() error {
			s, err := b.newSession()
			if err != nil {
				w.log("    failed: %v", err)
				return nil // nothing was promised, and he tries again
			}
			b.session = s
			b.recover()
			return nil
		})
	}
}

func (b *box) newSession() (*session, error) {
	w := b.w
	b.mounts++
	s := &session{w: w, box: b, dir: fmt.Sprintf("/%s%d/spool", b.name, b.mounts), ready: make(chan struct{}), open: map[*File]*opened{}}
	defer close(s.ready)
	s.disk = diskLink{b.disks.disk(), s}
	b.disks.mu.Lock()
	b.disks.dirs[s.dir] = true
	b.disks.mu.Unlock()
	sp, err := spool.Open(s.dir, spool.Options{FS: s.disk})
	if err != nil {
		return nil, err
	}
	s.spool = sp
	began := time.Now()
	name := fmt.Sprint(b.name, b.mounts)
	s.locks = lockmgr.New(tableLink{w.server.Table(), s},
		lockmgr.Config{Schema: 1, Timing: lockmgr.Timing{Beat: sweepBeat, Lease: sweepLease, Delay: sweepDelay}, ID: "t"},
		lockmgr.Options{BucketID: "b", Name: name, Host: b.name, Now: func() time.Duration { return time.Since(began) }})
	s.net = faultstore.New(w.mem)
	s.net.Hook(s.request)
	stall := sweepDelay / 3
	client := store.New(s.net, store.Options{Host: b.name, Timing: store.Timing{Quiet: sweepDelay, Stall: stall}})
	s.ctx, s.exit = context.WithCancel(context.Background())
	s.Table = NewTable(Options{
		Objects: client, Locks: lease.Manager(s.locks), Spool: sp, Reader: reader.New(client, 0), Host: b.name,
		Defaults:     Defaults{UID: 1, GID: 2, FileMode: 0o644, DirMode: 0o755},
		LockTimeout:  2 * (sweepLease + sweepDelay),
		FlushTimeout: 2 * (stall + sweepDelay),
		Quiet:        sweepDelay, Proc: procfs.FS(w.proc), Log: slog.New(slog.DiscardHandler),
	})
	return s, nil
}

// recover saves what the sessions before this one left, as a mount does: again and again until
// it succeeds. It goes on in the background if that takes long.
func (b *box) recover() {
	s := b.session
	ctx, stop := context.WithCancel(s.ctx)
	done := make(chan struct{})
	s.stopRecovery = func() {
		stop()
		<-done
	}
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			dead := b.firstLeft()
			if dead == nil {
				return
			}
			err := s.recoverOne(ctx, dead)
			switch {
			case s.isDead() || ctx.Err() != nil:
				return
			case err == nil:
				b.forget(dead)
			case n == 20:
				b.w.fail("recovering %s: %v", dead.dir, err)
				return
			default:
				b.w.log("    recovery of %s: %v", dead.dir, err)
				wait.For(ctx, 30*time.Second, nil)
			}
		}
	}()
	wait.For(s.ctx, 5*time.Minute, done)
}

// leave notes a session that did not end well, and forget that its spool was recovered.
func (b *box) leave(s *session) {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	b.left = append(b.left, s)
}

func (b *box) forget(s *session) {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	b.left = slices.DeleteFunc(b.left, func(o *session) bool { return o == s })
}

// firstLeft is the oldest session that is to be recovered, nil if there is none.
func (b *box) firstLeft() *session {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	if len(b.left) == 0 {
		return nil
	}
	return b.left[0]
}

func (s *session) recoverOne(ctx context.Context, dead *session) error {
	work, err := s.Recovery(dead.dir)
	if err != nil {
		return err
	}
	defer work.Close()
	sids := dead.locks.Sessions()
	if err := s.locks.Takeover(ctx, sids, work.Unanswered); err != nil {
		return err
	}
	left, err := work.Run(ctx)
	if err != nil {
		return err
	}
	if err := s.locks.Bury(ctx, sids); err != nil {
		return err
	}
	if len(left) > 0 {
		s.w.fail("the recovery of %s leaves %+v", dead.dir, left)
	}
	return nil
}

// crash ends the process of a session. w.mu is held. What it sends from now on does not arrive,
// and soon its goroutines end.
func (s *session) crash() {
	s.dead = true
	time.AfterFunc(time.Nanosecond, func() { s.w.ending.Go(s.end) })
}

func (s *session) end() {
	<-s.ready
	if s.Table == nil {
		return
	}
	s.exit()
	over, end := context.WithCancel(context.Background())
	end()
	s.Shutdown(over)
	s.locks.Close(over)
	s.net.Wait()
}

func (s *session) isDead() bool {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return s.dead
}

// do makes one step: something that happens on a box. What it has begun in the background is
// over after it, and where the session died another one takes its place.
func (w *sweep) do(b *box, what string, f func() error) {
	w.mu.Lock()
	w.step++
	w.mu.Unlock()
	what = b.name + " " + what
	w.log("%s", what)
	s := b.session
	err := f()
	if err != nil {
		w.log("    answer: %v", err)
		if s == nil || !s.isDead() {
			w.judge(what, err)
		}
	}
	synctest.Wait()
	if s != nil && !s.isDead() && b.session == s {
		(&host{Table: s.Table, t: w.T}).check()
	}
	time.Sleep(stepPause)
	synctest.Wait()
	w.revive()
}

// revive starts new sessions in place of dead ones.
func (w *sweep) revive() {
	for _, b := range []*box{w.a, w.b} {
		if s := b.session; s != nil && s.isDead() {
			w.log("%s has crashed", b.name)
			b.leave(s)
			b.session = nil
			if s.alone {
				b.mountAlone()
				continue
			}
			b.mount()
		}
	}
}

// mountAlone begins a session that recovers nothing yet.
func (b *box) mountAlone() {
	s, err := b.newSession()
	if err != nil {
		b.w.fail("mounting %s: %v", b.name, err)
	}
	b.session = s
}

// umount ends the session as umount(8) does. What cannot be saved stays for the next mount.
func (b *box) umount() { b.umountWithin(10 * time.Minute) }

// umountWithin is what a signal does.
func (b *box) umountWithin(limit time.Duration) {
	w := b.w
	w.do(b, "unmounts", func() error {
		s := b.session
		if s.stopRecovery != nil {
			s.stopRecovery()
		}
		ctx, cancel := context.WithTimeout(s.ctx, limit)
		defer cancel()
		left, err := s.Shutdown(ctx)
		if s.isDead() {
			return nil
		}
		if err != nil && limit > time.Minute {
			w.fail("unmounting %s: %v", b.name, err)
		}
		unanswered := false
		for _, l := range left {
			w.log("    left: %+v", l)
			unanswered = unanswered || l.Unanswered
		}
		if !unanswered {
			if cerr := s.locks.Close(ctx); cerr != nil && !s.isDead() {
				w.log("    closing the lock session: %v", cerr)
				unanswered = true
			}
		}
		s.exit()
		s.spool.Close()
		if s.isDead() {
			return nil
		}
		if len(left) > 0 || unanswered {
			b.leave(s)
		} else {
			s.mustBeEmpty()
		}
		b.session = nil
		// The process ends: its lock session, if it was not closed, beats no more.
		w.mu.Lock()
		defer w.mu.Unlock()
		s.crash()
		return nil
	})
}

// mustBeEmpty checks that a spool has nothing any more that somebody would have to save.
func (s *session) mustBeEmpty() {
	b := s.box
	scan, err := spool.ScanDir(s.dir, b.disks.disk())
	if err != nil {
		s.w.fail("the spool %s: %v", s.dir, err)
		return
	}
	defer scan.Close()
	if p := s.w.plan; p != nil && p.effect.label == "disk write ops" && (p.trouble == lost || p.trouble == full || p.trouble == unanswered) {
		scan.Ops = nil // that one ended could not be noted
	}
	if len(scan.Files) > 0 || len(scan.Ops) > 0 || len(scan.Bad) > 0 {
		s.w.fail("left in the spool %s: %d files, operations %+v, set aside %v", s.dir, len(scan.Files), scan.Ops, scan.Bad)
	}
	b.disks.mu.Lock()
	defer b.disks.mu.Unlock()
	for _, name := range b.disks.below(s.dir) {
		if name != "format" && name != "ops" {
			s.w.fail("left in the spool %s: %s", s.dir, name)
		}
	}
}

func (w *sweep) isOver() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.over
}

// finish lets time pass, looks whether all is as it must be, and ends both hosts.
func (w *sweep) finish() {
	for _, b := range []*box{w.a, w.b} {
		if b.session != nil {
			b.session.closeAll()
		}
	}
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	time.Sleep(sweepLease + sweepDelay)
	synctest.Wait()
	w.revive()
	for _, b := range []*box{w.a, w.b} {
		if b.session == nil {
			b.mount()
		}
	}
	w.noLeases()
	w.fresh(w.b)
	w.fresh(w.a)
	for _, b := range []*box{w.a, w.b} {
		w.do(b, "recovers what is left", func() error { b.recover(); return nil })
	}
	w.fresh(w.b)
	for _, b := range []*box{w.a, w.b} {
		b.umount()
		if b.firstLeft() != nil { // parked, or not answered
			b.mount()
			b.umount()
		}
		if b.firstLeft() != nil {
			w.fail("%s has to recover for ever", b.name)
		}
	}
	w.ending.Wait()
	w.checkBucket()
}

// noLeases checks that no session holds the lease of a name that nobody uses. An acquisition
// that lands when nobody waits for it any more stays until somebody else wants the name.
func (w *sweep) noLeases() {
	if w.plan != nil && w.plan.trouble == late && strings.HasPrefix(w.plan.effect.label, "table acquire ") {
		return
	}
	for _, b := range []*box{w.a, w.b} {
		b.session.mu.Lock()
		n := len(b.session.files)
		b.session.mu.Unlock()
		if n > 0 {
			w.fail("%s has %d files in its table that nobody has open", b.name, n)
		}
		own := b.session.locks.Sessions()
		for _, key := range w.keys {
			if l := w.server.Lock("b\x00" + lease.Name(key)); l.Nonce != "" && slices.Contains(own, l.SID) {
				w.fail("%s has the lease of %q, which nobody uses", b.name, key)
			}
		}
	}
}

func (w *sweep) log(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.story = append(w.story, fmt.Sprintf("%7.3f ", time.Since(sweepBegan).Seconds())+fmt.Sprintf(format, args...))
}

// sweepBegan is when time begins in a bubble of synctest.
var sweepBegan = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (w *sweep) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.log("    WRONG: %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, text)
}

// isKept tells whether a key is that of a conflict or recovered file.
func isKept(key string) bool {
	return strings.Contains(key, ".conflict-") || strings.Contains(key, ".recovered-")
}
