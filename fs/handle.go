package fs

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/store"
)

// A handle is one open file.
type handle struct {
	n    *fileNode
	file *file.Handle
	// drops is nil, or the version that was opened, if the kernel drops its pages when it gets
	// the reply to the open, which has not been seen yet.
	drops atomic.Pointer[store.Base]
}

// used is called first by requests that come only after the kernel got the reply to the open.
// Without them another open could overtake that, and be let keep the pages that are to go.
func (h *handle) used() {
	if h.drops.Load() == nil {
		return
	}
	if version := h.drops.Swap(nil); version != nil {
		h.n.dropped(*version)
	}
}

// Read implements fs.FileReader.
func (h *handle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	h.used()
	ctx, stop := untilKilled(ctx)
	defer stop()
	n, err := h.file.Read(ctx, dest, off)
	if err != nil {
		return nil, h.n.f.fail("read", h.file.Key(), err)
	}
	return fuse.ReadResultData(dest[:n]), 0
}

// Write implements fs.FileWriter. A write by an ordinary user takes the set-id bits away
// (HANDLE_KILLPRIV_V2 leaves it to us).
func (h *handle) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	h.used()
	h.n.mu.Lock()
	h.n.dirtied = true
	h.n.mu.Unlock()
	if callerOf(ctx).Pid == pageCache {
		n, err := h.file.WriteBack(data, off)
		if err != nil {
			return uint32(n), h.failed("write", err)
		}
		h.changed()
		return uint32(n), 0
	}
	if a := h.file.Attr(); a.Mode != a.WithoutSetIDs() && callerOf(ctx).Uid != 0 {
		if _, err := h.file.SetAttr(h.n.f.forUser(uninterrupted(), ctx), file.Change{NoSetIDs: true}); err != nil {
			return 0, h.failed("write", err)
		}
		h.n.NotifyContent(-1, 0) // the kernel believes that writes leave the mode
	}
	n, err := h.file.Write(data, off)
	if err != nil {
		return uint32(n), h.failed("write", err)
	}
	h.changed()
	return uint32(n), 0
}

// changed lets the kernel read the bytes again that another node shows of the same file, if there is
// one (see fileNode.takeBack).
func (h *handle) changed() {
	if other, ok := h.n.f.nodeOf(h.file.Key()).(*fileNode); ok && other != h.n && other.isOpen() {
		other.NotifyContent(0, 0) // all of them
	}
}

// Flush implements fs.FileFlusher: close(2) of one descriptor. Its error is that of close.
func (h *handle) Flush(ctx context.Context) syscall.Errno {
	c := h.n.f.caller(ctx, h.n.number())
	ctx, stop := untilKilledOrDead(ctx)
	defer stop()
	if err := h.file.Flush(ctx, c); err != nil {
		return h.failed("close", err)
	}
	h.noteSaved()
	return 0
}

// Fsync implements fs.FileFsyncer.
func (h *handle) Fsync(ctx context.Context, _ uint32) syscall.Errno {
	ctx, stop := untilKilled(ctx)
	defer stop()
	if err := h.file.Sync(ctx); err != nil {
		return h.failed("fsync", err)
	}
	h.noteSaved()
	return 0
}

// noteSaved notes the version that a commit made, once nothing is left to commit.
func (h *handle) noteSaved() {
	if !h.file.Writable() {
		return
	}
	if base, clean := h.file.Saved(); clean {
		h.n.saved(base)
	}
}

// failed gives the errno of a failure after which the node may not be what is under its name
// any more.
func (h *handle) failed(op string, err error) syscall.Errno {
	if errors.Is(err, file.ErrConflicted) || h.file.Detached() {
		h.n.f.tree.Forget(h.file.Key())
		h.n.drop()
	}
	return h.n.f.fail(op, h.file.Key(), err)
}

// Release implements fs.FileReleaser.
func (h *handle) Release(context.Context) syscall.Errno {
	h.used()
	attr := h.file.Attr()
	h.n.mu.Lock()
	delete(h.n.handles, h)
	h.n.attr = attr
	h.n.mu.Unlock()
	h.file.Release()
	return 0
}
