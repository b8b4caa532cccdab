package file

import (
	"fmt"
	"testing/synctest"
	"time"
)

// begin lets something happen beside what comes next; the function that it returns waits for it.
func (b *box) begin(key, how string) (wait func() *program) {
	done := make(chan struct{})
	var p *program
	var err error
	s := b.session
	b.w.log("%s begins to open %s %s", b.name, key, how)
	go func() {
		defer close(done)
		p, err = s.tryOpen(key, how)
	}()
	synctest.Wait()
	time.Sleep(10 * time.Millisecond)
	return func() *program {
		b.w.do(b, "waits for its open of "+key, func() error {
			<-done
			if s.isDead() {
				return nil
			}
			return err
		})
		if s.isDead() {
			return nil
		}
		return p
	}
}

// cut takes the lock table away from a box, or gives it back.
func (b *box) cut(off bool) {
	b.w.do(b, fmt.Sprintf("is cut off from the lock table: %v", off), func() error {
		b.w.mu.Lock()
		defer b.w.mu.Unlock()
		b.isCut = off
		return nil
	})
}

// outage takes the bucket away from a box, or gives it back.
func (b *box) outage(off bool) {
	b.w.do(b, fmt.Sprintf("is cut off from the bucket: %v", off), func() error {
		b.w.mu.Lock()
		defer b.w.mu.Unlock()
		b.isOffline = off
		return nil
	})
}

// slow lets what a box changes in the bucket land late, without an answer.
func (b *box) slow() {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	b.isSlow = true
}

// kill ends the session; another one takes its place, from where all is within reach.
func (b *box) kill() {
	b.w.do(b, "is killed", func() error {
		b.w.mu.Lock()
		defer b.w.mu.Unlock()
		if !b.session.dead {
			b.session.crash()
		}
		b.heal()
		return nil
	})
}

// heal gives a box what was out of its reach. w.mu is held.
func (b *box) heal() { b.isCut, b.isOffline, b.isSlow = false, false, false }

// until lets time pass up to a moment, where chance has decided how long something took.
func (w *sweep) until(moment time.Duration) {
	time.Sleep(moment - time.Since(sweepBegan))
	synctest.Wait()
	w.revive()
}

// insist does something again until it is done, or the locks of a dead session must be free.
func (w *sweep) insist(do func() bool) {
	for began := time.Now(); !do() && w.plan != nil && time.Since(began) < sweepLease+sweepDelay+2*sweepBeat; {
	}
}

// foreign is a writer that knows nothing of locks.
func (w *sweep) foreign(key, text string) {
	w.use(key)
	w.rivals = true
	w.newMoment(moment{text: text, mode: ModeRegular | 0o644, owed: true, answer: accepted}, w.now(key))
	w.mem.PutForeign(key, text)
	w.log("somebody else writes %s to %s", text, key)
}
