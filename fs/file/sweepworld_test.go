package file

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/lockmgr/memtable"
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

	mu       sync.Mutex // guards what follows
	step     int
	seen     map[effect]int
	effects  []effect             // in the order in which they happened
	fired    bool                 // the plan was carried out
	underway map[string]time.Time // keys of late requests, and until when
	over     bool                 // the script is through
	story    []string             // what the programs did, and were answered
	wrong    []string

	// The fields below belong to the goroutine of the script.

	sessions []*session // all that ever were
	moments  []*moment
	known    map[string]*moment // versions in the bucket, by id
	keys     []string           // that the programs have used, in order
	modes    uint32             // that were given out
	tokens   int
	freshly  bool // nothing may go wrong any more
	// What the script says of itself.

	rivals   bool              // somebody changes the bucket who knows of no locks
	keeps    int               // how many files are kept, if nothing goes wrong
	expected bool              // some calls fail also if nothing goes wrong
	only     func(effect) bool // the side effects that matter; nil: all
}

func newSweep(t *testing.T, proc string, p *plan) *sweep {
	w := &sweep{
		T: t, mem: memstore.New(memstore.Options{Versioned: true}), server: memtable.NewServer(), proc: proc, plan: p,
		seen: map[effect]int{}, underway: map[string]time.Time{}, known: map[string]*moment{},
	}
	w.a = &box{w: w, name: "A", disks: newPlatter()}
	w.b = &box{w: w, name: "B", disks: newPlatter()}
	return w
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
	for _, s := range w.sessions {
		if s.stopRecovery != nil {
			s.stopRecovery()
		}
	}
	w.ending.Wait()
	for _, s := range w.sessions {
		s.net.Wait()
	}
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

// fresh changes every name that the programs have used, which nothing may prevent any more. The
// lease of a dead session is free after a while.
func (w *sweep) fresh(b *box) {
	for _, key := range w.keys {
		is := w.there(key)
		began, wrong := time.Now(), len(w.wrong)
		for done := false; !done && len(w.wrong) == wrong; {
			w.freshly = time.Since(began) > sweepLease+sweepDelay+2*sweepBeat
			switch {
			case strings.HasSuffix(key, "/"):
				done = is == nil || b.chmod(key)
			case is == nil && w.occupied(key):
				done = true // by a directory
			case is == nil:
				p := b.create(key)
				p.write("<fresh"+w.token()+">", 0)
				p.close()
				done = p != nil
			case is.mode&ModeType == ModeSymlink:
				done = b.unlink(key)
			default:
				how := "a"
				if len(is.text) > 1<<20 {
					how = "w"
				}
				p := b.open(key, how)
				p.write("<fresh"+w.token()+">", 0)
				p.close()
				done = p != nil
			}
		}
		w.freshly = false
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
