package file

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

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

// mountAlone begins a session that recovers nothing yet.
func (b *box) mountAlone() {
	s, err := b.newSession()
	if err != nil {
		b.w.fail("mounting %s: %v", b.name, err)
	}
	b.session = s
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
	w.sessions = append(w.sessions, s)
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
}

func (s *session) isDead() bool {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return s.dead
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
		synctest.Wait()
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
