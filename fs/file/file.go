package file

import (
	"context"
	"errors"
	"sync"

	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/store"
)

// A File is one file that is open here or has something to commit. All local processes
// share it. Once its name belongs to something else (unlink, rename over it, conflict) it
// is detached: not in the table any more, and its handles keep what they had.
//
// While a process has it open for write, or a commit is pending, it is live: the lease is
// held (or known to be lost), the base is known, and local readers follow it.
type File struct {
	t *Table

	// op is held, across uploads, by whoever begins or ends the live time of the file,
	// commits it, or changes its name. It is taken before any mutex.
	op chan struct{}

	users int // callers that keep the File in the table without a handle; under Table.mu

	mu sync.Mutex // taken after Table.mu

	// The fields below are guarded by mu.

	key     string
	state   State
	handles map[*Handle]struct{}
	writers int // handles that may write, and operations that act as one

	hold *hold // INVARIANT: live => not nil, until detached
	// base is the version the file grew from; its zero ETag means that nothing was there.
	base store.Info
	attr Attr // as it is now, with all local changes
	// set are the attributes that differ from those of base and are to be kept in it.
	set   store.PosixField
	bytes bool // the content differs from base
	// written: the content changed since the file became live, so that handles that read
	// its first base follow it.
	written bool
	// owed: the content was changed through a handle, whose close or fsync answers for it. Other
	// changes came by name, and who made them waits for the commit.
	owed bool

	local *spool.File // nil until there is something to keep
	pin   *pin        // of base; nil until read
	// reason is why the file was detached by a conflict or parked.
	reason error
	// stale: the lease was lost and the base has changed, so the next write fails.
	stale bool
	// over: the table has ended, and its spool may be removed.
	over bool
	// unanswered: a request of a commit that was given up at shutdown may still land.
	unanswered bool

	// waiting are the closes and fsyncs whose time a commit's progress resets; a leaf lock.
	waiting struct {
		sync.Mutex
		set map[*patience]struct{}
	}
}

func newFile(t *Table, key string) *File {
	return &File{t: t, key: key, op: make(chan struct{}, 1), handles: make(map[*Handle]struct{})}
}

// live tells whether the file, not the bucket, is the truth on this host. f.mu is held.
func (f *File) live() bool { return f.hold != nil || f.state != Clean }

// lockOp takes the op slot.
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

// step makes the transition. f.mu is held.
func (f *File) step(e event) { f.state = f.state.next(e) }

// keep makes the spool file, if there is none. f.mu is held. Making it touches only the
// page cache.
func (f *File) keep() error {
	if f.local != nil {
		return nil
	}
	local, err := f.t.o.Spool.Create(spool.Header{
		Key: f.key, Base: f.base.Base(), BaseSize: f.base.Size, Size: f.attr.Size, Props: f.base.Props,
	})
	if err != nil {
		return err
	}
	if f.state == Unlinked {
		if err := local.Unlinking(); err != nil {
			return errors.Join(err, local.Drop())
		}
	}
	f.local = local
	return nil
}

// pinned returns a share in the pin of base. f.mu is held.
func (f *File) pinned() *pin {
	if f.pin == nil {
		f.pin = newPin(f.t.o.Reader.Pin(f.base))
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

// read reads what the file holds now.
func (f *File) read(ctx context.Context, p []byte, off int64) (int, error) {
	for {
		f.mu.Lock()
		if off >= f.attr.Size {
			f.mu.Unlock()
			return 0, nil
		}
		p := p[:min(int64(len(p)), f.attr.Size-off)]
		local, base := f.local, f.pinned()
		f.mu.Unlock()
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
		f.mu.Unlock()
		if !moved || ctx.Err() != nil {
			return n, err
		}
	}
}

// A pin shares one reader.Pinned among the handles of a file; the last Close closes it.
type pin struct {
	*reader.Pinned
	mu     sync.Mutex
	shares int // guarded by mu
}

func newPin(p *reader.Pinned) *pin { return &pin{Pinned: p, shares: 1} }

func (p *pin) share() *pin {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shares++
	return p
}

// Close gives up one share.
func (p *pin) Close() {
	p.mu.Lock()
	p.shares--
	last := p.shares == 0
	p.mu.Unlock()
	if last {
		p.Pinned.Close()
	}
}
