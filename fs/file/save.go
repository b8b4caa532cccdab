package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
)

// save seals what the file holds and waits until it is in the bucket. h is the handle whose
// close or fsync asks, nil for a change by name. The work does not end with the caller: past
// the flush timeout, or if he is killed, it goes on in the background. Past the timeout he
// gets ErrUnsaved once the spool is synced to disk.
func (f *File) save(ctx context.Context, h *Handle) error {
	f.mu.Lock()
	m, err := f.seal()
	if m == nil || err != nil {
		f.unlock()
		return err
	}
	wait := f.ask(m, h)
	f.unlock()
	p := f.newPatience()
	defer p.stop()
	select {
	case <-wait.done:
		return wait.err
	case <-p.over():
		return f.unsaved(m, wait, h)
	case <-ctx.Done():
		if !f.forgo(wait, h) {
			return wait.err
		}
		return fmt.Errorf("waiting for the commit of %q: %w", f.name(), context.Cause(ctx))
	}
}

// ask says that somebody waits for a commit, and sees to it that it is tried. f.mu is held.
func (f *File) ask(m *commit, h *Handle) *try {
	if m.try == nil {
		m.try = &try{done: make(chan struct{}), askers: make(map[*Handle]bool)}
	}
	if h != nil {
		m.try.askers[h] = true
	}
	f.startDrain()
	return m.try
}

// forgo says that h does not wait any more: it is told of the outcome at its next call. It is
// false if the outcome is here, which has to be told now.
func (f *File) forgo(t *try, h *Handle) bool {
	f.mu.Lock()
	defer f.unlock()
	if isClosed(t.done) {
		return false
	}
	delete(t.askers, h)
	return true
}

// unsaved is the answer to a close or fsync whose commit goes on in the background.
func (f *File) unsaved(m *commit, wait *try, h *Handle) error {
	if !f.forgo(wait, h) {
		return wait.err
	}
	err := fmt.Errorf("saving %q: %w", f.name(), ErrUnsaved)
	if serr := m.local.Sync(); serr != nil {
		err = errors.Join(err, serr)
	}
	f.mu.Lock()
	defer f.unlock()
	if f.core.content.saved < m.upto { // it may have landed in this moment
		f.remember(err, m.upto, map[*Handle]bool{h: true})
	}
	return err
}

// tell gives those who wait for a commit its outcome, or that of this try of it, and lets
// every other handle know of a failure at its next close or fsync. f.mu is held.
func (f *File) tell(m *commit, err error) {
	var told map[*Handle]bool
	if t := m.try; t != nil {
		m.try = nil
		told = t.askers
		t.err = err
		close(t.done)
	}
	if err == nil {
		f.takeBack(m.upto)
		return
	}
	f.remember(err, m.upto, told)
}

// failed tells everybody who waits that nothing could be saved this time, once what stays in the
// spool survives a power cut (SEMANTICS G5).
func (f *File) failed(err error) {
	f.mu.Lock()
	local := f.local
	f.unlock()
	if local != nil {
		err = errors.Join(err, local.Sync())
	}
	f.mu.Lock()
	defer f.unlock()
	f.tellAll(err)
}

// tellAll tells the outcome of every commit that has not landed. f.mu is held.
func (f *File) tellAll(err error) {
	for _, m := range f.core.content.seals {
		f.tell(m, err)
	}
}

// remember notes a failure for the handles that are open now and were not told, or that are to
// be told again at each close, because they wrote what is not saved. A failure of more than this
// stays: it is not taken back when this is saved. f.mu is held.
func (f *File) remember(err error, upto uint64, told map[*Handle]bool) {
	for h := range f.handles {
		if h.write && h.failed.upto <= upto && (!told[h] || h.wrote > f.core.content.saved) {
			h.failed = failure{err, upto}
		}
	}
}

// takeBack forgets the failures of what has landed since. f.mu is held.
func (f *File) takeBack(upto uint64) {
	for h := range f.handles {
		if h.failed.upto <= upto {
			h.failed = failure{}
		}
	}
}

// name is the name of the file now, or the last one that it had.
func (f *File) name() string {
	f.mu.Lock()
	defer f.unlock()
	return f.core.key
}

// saveFirst saves what the file of a key has that is not in the bucket, for a caller under
// the kernel's lock of a directory: he waits at most NameWait and then gets
// *lockmgr.HeldError.
func (t *Table) saveFirst(key string) error {
	f, err := t.enter(key)
	if err != nil {
		return err
	}
	defer f.leave()
	f.mu.Lock()
	if !f.core.pending() {
		f.unlock()
		return nil
	}
	m, err := f.seal()
	if m == nil || err != nil {
		f.unlock()
		return err
	}
	wait := f.ask(m, nil)
	f.unlock()
	began, timer := time.Now(), time.NewTimer(NameWait)
	defer timer.Stop()
	select {
	case <-wait.done:
		return wait.err
	case <-timer.C:
		return &lockmgr.HeldError{Key: key, Host: t.o.Host, Since: began, Waited: NameWait}
	}
}
