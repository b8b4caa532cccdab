package file

import (
	"context"
	"errors"
	"sync"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/store"
)

// A File is one file that is open here or has something to commit. All local processes
// share it. Once its name belongs to something else (unlink, rename over it, conflict) it
// is detached: not in the table any more, and its handles keep what they had.
//
// While a process has it open for write, or a commit is pending, it is live: the lease is
// held (or lost without our knowing), the base is known, and local readers follow it.
type File struct {
	t *Table

	// op is the op lock. It is held, across uploads, by whoever begins or ends the live time of the file,
	// commits it, or changes its name. It is taken before any mutex.
	op chan struct{}

	users int // callers that keep the File in the table without a handle; under Table.mu

	mu sync.Mutex // taken after Table.mu

	// The fields below are guarded by mu.

	core    core
	handles map[*Handle]struct{}
	local   *spool.File // nil until there is something to keep
	pin     *pin        // of the base; nil until read
	// draining: a goroutine saves what is sealed and ends the live time (drain).
	draining bool
	poke     chan struct{} // one token: ends the pause of drain between two tries

	// waiting are the closes and fsyncs whose time a commit's progress resets; a leaf lock.
	waiting struct {
		sync.Mutex
		set map[*patience]struct{}
	}
}

func newFile(t *Table, key string) *File {
	return &File{
		t: t, core: core{key: key, state: idle{}}, op: make(chan struct{}, 1), poke: make(chan struct{}, 1),
		handles: make(map[*Handle]struct{}),
	}
}

// lockOp takes the op lock.
func (f *File) lockOp(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case f.op <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (f *File) unlockOp() { <-f.op }

// spooled makes the spool file, if there is none. f.mu is held. Making it touches only the
// page cache.
func (f *File) spooled() error {
	if f.local != nil {
		return nil
	}
	c := &f.core.content
	props, err := c.props()
	if err != nil {
		return err
	}
	local, err := f.t.o.Spool.Create(spool.Header{
		Key: f.core.key, Base: c.base.Base(), BaseSize: c.base.Size, Size: c.attr.Size, Props: props,
	})
	if err != nil {
		return err
	}
	if _, gone := f.core.state.(unlinked); gone {
		if err := local.Unlinking(); err != nil {
			return errors.Join(err, local.Drop())
		}
	}
	f.local = local
	return nil
}

// rebase makes info the version that the file grew from: its own commit. f.mu is held.
func (f *File) rebase(info store.Info) {
	f.unpin()
	f.core.content.rebase(info)
}

// pinned returns a share in the pin of the base. f.mu is held.
func (f *File) pinned() *pin {
	if f.pin == nil {
		f.pin = newPin(f.t.o.Reader.Pin(f.core.content.base))
	}
	return f.pin.share()
}

// unpin forgets the pin of a base that is not the base any more. f.mu is held.
func (f *File) unpin() {
	if f.pin != nil {
		f.pin.Close()
		f.pin = nil
	}
}

// toCopy lets the handles that read a version without an id of its own read its copy instead, which has
// the same bytes: on some servers a copy has another ETag, by which alone these are pinned. f.mu is held.
func (f *File) toCopy(was store.Base, copied store.Info) {
	if was.Pinned() || was.ETag == copied.ETag {
		return
	}
	for h := range f.handles {
		if h.pin != nil && h.info.Base().Same(was) {
			h.pin.Close()
			h.info, h.attr = copied, f.core.content.attr
			h.pin = newPin(f.t.o.Reader.Pin(copied))
		}
	}
}

// read reads what the file holds now.
func (f *File) read(ctx context.Context, p []byte, off int64) (int, error) {
	for {
		f.mu.Lock()
		size := f.core.content.attr.Size
		if off >= size {
			f.unlock()
			return 0, nil
		}
		p := p[:min(int64(len(p)), size-off)]
		local, base := f.local, f.pinned()
		f.unlock()
		var n int
		var err error
		if local != nil {
			n, err = local.ReadAt(ctx, p, off, base)
		} else {
			n, err = base.ReadFull(ctx, p, off)
		}
		base.Close()
		if err == nil {
			return n, nil
		}
		// A commit may have replaced the base, and on a bucket without versions the old
		// one is gone; or the spool file was dropped because the base has it all.
		f.mu.Lock()
		moved := f.local != local || f.pin == nil || f.pin.Pinned != base.Pinned
		f.unlock()
		if !moved || ctx.Err() != nil {
			return n, err
		}
	}
}
