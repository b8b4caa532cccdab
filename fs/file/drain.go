package file

import (
	"context"
	"log/slog"

	"github.com/latchfs/latchfs/internal/seldom"
	"github.com/latchfs/latchfs/internal/wait"
)

// startDrain sees to it that what is sealed is saved and, once nobody writes, what is left
// too. f.mu is held.
func (f *File) startDrain() {
	if f.draining {
		select {
		case f.poke <- struct{}{}:
		default:
		}
		return
	}
	f.draining = true
	f.t.work.Go(f.drain)
}

// drain saves the seals in their order, one at a time. When none is left and nobody writes it
// ends the live time of the file. What fails and may succeed later is tried again until the
// table ends.
func (f *File) drain() {
	ctx := f.t.background
	for {
		drained, err := f.drainOne(ctx)
		if drained {
			return
		}
		if err == nil {
			continue
		}
		if ctx.Err() == nil {
			key := f.name()
			f.t.said.Say(f.t.said.Named(seldom.Kind{Op: "save"}, key), slog.LevelError, "another try follows: a file could not be saved", key, "err", err)
		}
		wait.For(ctx, retryPause, f.poke)
		if ctx.Err() != nil {
			f.stopDrain(err)
			return
		}
	}
}

// stopDrain ends a drain with something left to save: the table has ended.
func (f *File) stopDrain(err error) {
	f.mu.Lock()
	f.draining = false
	f.unlock()
	f.failed(err)
}

// drainOne saves the oldest seal. drained: there was none, and draining is over.
func (f *File) drainOne(ctx context.Context) (drained bool, err error) {
	if err := f.lockOp(ctx); err != nil {
		return false, err
	}
	defer f.unlockOp()
	f.mu.Lock()
	if f.core.writers == 0 && f.core.live() != nil {
		_, err = f.seal() // what no close or fsync asked for
	}
	m := f.core.content.head()
	if m == nil && err == nil {
		f.draining = false
		f.unlock()
		f.end()
		return true, nil
	}
	f.unlock()
	if m == nil {
		return false, err
	}
	if err := f.commit(ctx, m); err != nil {
		f.failed(err)
		return false, err
	}
	return false, nil
}
