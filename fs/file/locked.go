package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/store"
)

// A Locked is a name that a command has for itself, without a mount: a claim, and the requests of a
// mount, by the same code. Nothing of it is in a spool. If its process dies, its session falls
// silent, and others take the lease over when what was sent cannot land any more (LOCKS P4).
type Locked struct {
	*claim
	// ctx ends when nobody wants the change any more. What was sent until then is settled all the
	// same, so no request is under it but those that only look.
	ctx context.Context
}

// errNoAnswer ends what made no progress for the flush timeout.
var errNoAnswer = errors.New("the bucket does not answer")

// Locked leases the name of a key, waiting at most Options.LockTimeout for whoever has it, looks
// at it, and calls do. Several may run side by side; those of one name come one after the other. It
// fails as a claim does, with what do returns, and with the cause of ctx if that ends first. With
// store.ErrUnknownOutcome the lease is kept: what was sent may still land.
func (t *Table) Locked(ctx context.Context, key string, do func(l *Locked) error) error {
	c, err := t.claim(ctx, key, t.o.LockTimeout, nil)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	if err = context.Cause(ctx); err == nil {
		err = do(&Locked{claim: c, ctx: ctx})
	}
	unanswered := errors.Is(err, store.ErrUnknownOutcome)
	if unanswered {
		t.unknown([]string{key})
	}
	c.release(unanswered)
	return err
}

// Abandon ends all that is under way in Locked: requests that are not settled yet
// fail with store.ErrUnknownOutcome.
func (t *Table) Abandon() { t.stop() }

// Found is what is under the name; its ETag is zero where nothing is.
func (l *Locked) Found() store.Info { return l.found }

// Send calls send, which makes requests under a permit. The permit ends when nobody wants the
// change any more; ctx only when there is no hope of an answer: when the bucket has made no
// progress for the flush timeout, of which progress has to be told, or after Abandon.
func (l *Locked) Send(send func(ctx context.Context, p store.Permit, progress func(n int64)) error) error {
	t := l.f.t
	ctx, cancel := context.WithCancelCause(t.background)
	defer cancel(nil)
	p := &revocable{Permit: l.hold, why: "nobody waits for it any more"}
	defer context.AfterFunc(l.ctx, func() { p.revoked.Store(true) })()
	patience := startPatience(t.o.FlushTimeout, func(*patience) {})
	defer patience.stop()
	go func() {
		select {
		case <-patience.over():
			cancel(errNoAnswer)
		case <-ctx.Done():
		}
	}()
	err := send(ctx, p, func(int64) { patience.reset() })
	if errors.Is(err, store.ErrNotPermitted) && l.ctx.Err() != nil {
		return context.Cause(l.ctx)
	}
	return err
}

// Copy makes a version of an object, of this key or another one, the current one under the name,
// if that is still what was found. src is what Head says of it. Its properties and its mtime come
// along; what an earlier commit said of itself does not, and the file keeps its own inode number.
// Where nothing is the name is made, and with it the directories above that have no key. It fails
// with store.ErrConflict if somebody was faster, with fs.ErrExist or ErrNotDir if another kind of
// thing has the name or one above it, and as store.Client.Copy does.
func (l *Locked) Copy(src store.Info, a store.Audit) (store.Info, error) {
	t, key := l.f.t, l.f.name()
	fresh := l.absent()
	if fresh {
		if err := l.free(); err != nil {
			return store.Info{}, err
		}
	}
	var info store.Info
	err := l.Send(func(ctx context.Context, p store.Permit, progress func(int64)) (err error) {
		w := store.Write{
			Key: key, ID: store.NewWriteID(), Base: l.found.Base(), Props: withNumber(withMtime(src), key, numberOf(l.found)),
			Audit: a, Progress: progress,
		}
		if info, err = t.copy(ctx, p, w, store.Source{Key: src.Key, Base: src.Base(), Size: src.Size}); err == nil && fresh {
			err = l.settled(ctx, info, NameWait)
		}
		return err
	})
	if err == nil {
		l.found = info
	}
	return info, err
}

// free fails if what is to be made cannot be: as Table.free does, except that a directory that is
// there by what is inside may get a marker.
func (l *Locked) free() error {
	t, key := l.f.t, l.f.name()
	name := lease.Name(key)
	if key == name {
		return t.free(key)(l.ctx, l.claim)
	}
	var looks looking
	looks.ask(func() error { return exists(t.isObject(l.ctx, name)) })
	looks.ask(func() error { return l.lookAbove(l.ctx, name) })
	return looks.wait()
}

// Remove removes what was found, if that is still there; of a directory its marker, if nothing is
// inside. It fails with store.ErrConflict if somebody was faster, with a NotEmptyError, and as
// store.Client.Delete does.
func (l *Locked) Remove() error {
	t, key := l.f.t, l.f.name()
	isDir := lease.Name(key) != key
	if isDir {
		switch inside, err := t.keyInside(l.ctx, key); {
		case err != nil:
			return err
		case inside != "":
			return &NotEmptyError{key, inside}
		}
	}
	err := l.Send(func(ctx context.Context, p store.Permit, _ func(int64)) error {
		err := t.delete(ctx, p, store.Deletion{Key: key, Base: l.found.Base()})
		if err == nil && isDir {
			err = l.stillEmpty(ctx)
		}
		return err
	})
	if err == nil {
		l.found = store.Info{Key: key}
	}
	return err
}

// Undelete removes the delete markers on top of a version, the newest first, so that it is the
// current one again. It fails with fs.ErrExist or ErrNotDir as Copy does, with store.ErrConflict if
// then another version is the current one, and as store.Client.RemoveVersion does.
func (l *Locked) Undelete(markers []string, version string) (store.Info, error) {
	t, key := l.f.t, l.f.name()
	if !l.absent() {
		return l.found, fs.ErrExist
	}
	if err := l.free(); err != nil {
		return store.Info{}, err
	}
	var info store.Info
	err := l.Send(func(ctx context.Context, p store.Permit, _ func(int64)) (err error) {
		for _, marker := range markers {
			if err := t.o.Objects.RemoveVersion(ctx, p, key, marker); err != nil {
				return err
			}
		}
		switch info, err = l.now(ctx); {
		case err != nil:
			return err
		case info.ETag == "" || info.VersionID != version:
			return fmt.Errorf("undeleting %q: %w", key, store.ErrConflict)
		}
		return l.settled(ctx, info, NameWait)
	})
	if err == nil {
		l.found = info
	}
	return info, err
}

// now looks at the name after something of it was changed, until that is answered or ctx ends.
func (l *Locked) now(ctx context.Context) (store.Info, error) {
	for {
		info, err := l.f.t.current(ctx, l.f.name())
		switch {
		case err == nil, refused(err):
			return info, err
		case !wait.For(ctx, retryPause, nil):
			return info, fmt.Errorf("%w: %w", store.ErrUnknownOutcome, err)
		}
	}
}
