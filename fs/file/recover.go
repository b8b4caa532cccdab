package file

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// A Recovery saves what a dead session left in its spool (LOCKS P6).
type Recovery struct {
	t     *Table
	scan  *spool.Scan
	name  string    // of the session, for the names of kept files
	began time.Time // when the session was known to be dead
}

// Recovery reads the spool directory of a session that is proved dead. Corrupt journals
// are set aside in it; what the disk does not give stays for another try.
func (t *Table) Recovery(dir string) (*Recovery, error) {
	scan, err := t.o.Spool.Scan(dir)
	if err != nil {
		return nil, err
	}
	for name, err := range scan.Bad {
		t.o.Log.Error("a spool file cannot be read and is kept aside", "dir", dir, "name", name, "err", err)
	}
	return &Recovery{t: t, scan: scan, name: filepath.Base(filepath.Dir(dir)), began: time.Now()}, nil
}

// Unanswered tells whether a request of the dead session for what has this name may still
// land: its lock is not free before the quiet time is over. The object "n" and the directory
// "n/" have one lock, which is called "n".
func (r *Recovery) Unanswered(name string) bool {
	return r.scan.Unanswered(name) || r.scan.Unanswered(name+"/")
}

// Close gives up a recovery that is not run, or not run to its end.
func (r *Recovery) Close() { r.scan.Close() }

// Run saves everything: what was sealed under its own name, in its order, if nobody else
// wrote, else as a conflict file; what was never asked to be saved as a .recovered- file. It
// aborts the uploads that were begun. It returns what it could not save, which stays in the
// spool, and an error if some of it may be saved by another try. What this bucket can never take
// is not tried again before the next mount. The locks of the dead session must have been taken over before
// (lockmgr.Manager.Takeover).
func (r *Recovery) Run(ctx context.Context) (left []Left, err error) {
	for _, f := range r.scan.Files {
		ferr := r.once(ctx, f)
		if ferr == nil {
			continue
		}
		l := Left{Key: f.Key, Reason: ferr.Error(), Unanswered: errors.Is(ferr, store.ErrUnknownOutcome)}
		if last := f.Last(); last != nil {
			l.Bytes = last.Local()
		}
		left = append(left, l)
		if !hopeless(ferr) {
			err = errors.Join(err, fmt.Errorf("recovering %q: %w", f.Key, ferr))
		}
	}
	for _, op := range r.scan.Ops {
		if op.Kind == spool.OpUpload {
			if aerr := r.abort(ctx, op); aerr != nil {
				left = append(left, Left{Key: op.Key, Reason: aerr.Error()})
				err = errors.Join(err, fmt.Errorf("aborting an upload of %q: %w", op.Key, aerr))
			}
			continue
		}
		if oerr := r.outlive(ctx, op.Key); oerr != nil {
			left = append(left, Left{Key: op.Key, Reason: oerr.Error(), Unanswered: true})
			err = errors.Join(err, fmt.Errorf("waiting until the last %s of %q can land no more: %w", op.Kind, op.Key, oerr))
		}
	}
	for name, berr := range r.scan.Bad {
		left = append(left, Left{Key: name, Reason: berr.Error()})
	}
	return left, errors.Join(err, r.scan.Unread) // the next try may read it
}

// abort frees the parts of an upload that nobody will complete. Whoever may not abort leaves
// it to a lifecycle rule.
func (r *Recovery) abort(ctx context.Context, op spool.Op) error {
	err := r.t.o.Objects.AbortUpload(ctx, op.Key, op.Upload)
	if refused(err) {
		r.t.o.Log.Warn("a multipart upload of a dead mount cannot be aborted; its parts are stored until a lifecycle rule does", "key", op.Key, "upload", op.Upload, "err", err)
		return nil
	}
	return err
}

// outlive waits until no request of the dead session for the key can land any more: then
// its lease can be had. Nothing else is to be done for it.
func (r *Recovery) outlive(ctx context.Context, key string) error {
	c, err := r.t.reserve(ctx, key)
	if err != nil {
		return err
	}
	c.end(0)
	return nil
}

// once saves one file, unless an earlier recovery of this mount has found that it never can be.
func (r *Recovery) once(ctx context.Context, f *spool.Found) error {
	if err, known := r.t.hopeless.Load(r.seed(f)); known {
		return err.(error)
	}
	err := r.file(ctx, f)
	if hopeless(err) {
		r.t.hopeless.Store(r.seed(f), err)
	}
	return err
}

// hopeless tells the errors of a commit that say the same of these bytes as long as this bucket is
// mounted as it is. Other refusals, such as a right that is missing or a retention, end some day.
func hopeless(err error) bool {
	return errors.Is(err, store.ErrTooLarge) || errors.Is(err, store.ErrMetadataFull)
}

// file saves one file and drops it from the spool.
func (r *Recovery) file(ctx context.Context, f *spool.Found) error {
	switch gone, err := r.unlinked(ctx, f); {
	case err != nil:
		return err
	case gone:
		return f.Drop()
	case f.Unlinked:
		// The name was to be removed and was not; nobody asked for these bytes under it.
		if last := f.Last(); last != nil {
			if err := r.keep(ctx, f, *last); err != nil {
				return err
			}
		}
		return f.Drop()
	}
	if err := r.seals(ctx, f); err != nil {
		return err
	}
	if f.Attrs {
		if err := r.attributes(ctx, f); err != nil {
			return err
		}
	}
	if f.Tail != nil {
		if err := r.keep(ctx, f, *f.Tail); err != nil {
			return err
		}
	}
	return f.Drop()
}

// unlinked tells whether the file was about to be unlinked and its object is gone.
func (r *Recovery) unlinked(ctx context.Context, f *spool.Found) (bool, error) {
	if !f.Unlinked {
		return false, nil
	}
	_, err := r.t.o.Objects.Head(ctx, f.Key, "")
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// conflict keeps the newest content that was sealed beside the file that somebody else
// changed; with higher not in its directory, which is one no more. What has no bytes of its own is
// not kept.
func (r *Recovery) conflict(ctx context.Context, f *spool.Found, higher bool) error {
	last, bytes, created := f.Seals[len(f.Seals)-1], false, f.Base.Absent()
	for _, s := range f.Seals {
		bytes, created = bytes || !s.Copy, created && s.Size() == 0
	}
	if !bytes || created {
		r.t.o.Log.Warn("a change was not recovered: somebody else changed the file", "key", f.Key)
		return nil
	}
	k := keeper{
		t: r.t, kind: "conflict", key: f.Key, ours: last.ID, base: f.Base, props: last.Props,
		seed: r.seed(f), at: f.Created, higher: higher,
	}
	base := r.base(f)
	defer base.Close()
	info, err := k.put(ctx, last.Snapshot, base)
	if err == nil {
		r.t.o.Log.Warn("a file was changed by somebody else; what was to be saved is kept beside it", "key", f.Key, "kept", info.Key)
	}
	return err
}

// seed names what was found, for the name of its kept file.
func (r *Recovery) seed(f *spool.Found) string { return r.name + "/" + f.Name() }

// reserve claims a key that no process here has open for write: a commit under the base of
// such a file would make its own fail. Nobody here makes the other kind of thing of its name.
func (t *Table) reserve(ctx context.Context, key string) (*claim, error) {
	for began := time.Now(); ; {
		c, err := t.claimBoth(ctx, key, t.o.LockTimeout)
		if err != nil && !errors.Is(err, ErrStale) {
			return nil, err
		}
		if err == nil {
			c.f.mu.Lock()
			live := c.f.core.live() != nil
			c.f.unlock()
			if !live {
				return c, nil
			}
			c.end(0)
		}
		if time.Since(began) > t.o.LockTimeout {
			return nil, &lockmgr.HeldError{Key: key, Host: t.o.Host, Since: began, Waited: time.Since(began)}
		}
		if !wait.For(ctx, retryPause, nil) {
			return nil, context.Cause(ctx)
		}
	}
}

// attributes makes a change of attributes that was answered and that no commit has carried
// yet, if what it was made on is still there. A file that is not in the bucket has them in
// its .recovered- file alone.
func (r *Recovery) attributes(ctx context.Context, f *spool.Found) error {
	if f.Base.Absent() {
		return nil
	}
	c, err := r.t.reserve(ctx, f.Key)
	if err != nil {
		return err
	}
	unanswered := false
	defer func() {
		if unanswered {
			r.t.unknown([]string{f.Key})
		}
		c.release(unanswered)
	}()
	if sameVersion(c.found.Base(), f.Base) {
		w := store.Write{Key: f.Key, ID: store.NewWriteID(), Base: f.Base, Props: f.Props, Audit: store.Audit{What: store.WhatMeta}}
		var info store.Info
		info, err = r.t.copy(ctx, c.hold, w, store.Source{Key: f.Key, Base: f.Base, Size: c.found.Size})
		unanswered = errors.Is(err, store.ErrUnknownOutcome) && ctx.Err() != nil
		if err == nil {
			r.t.changed(f.Key, &info)
		}
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	r.t.o.Log.Warn("a change of attributes was not recovered: somebody else changed the file", "key", f.Key)
	return nil
}

// keep puts bytes that nobody asked to save beside the file.
func (r *Recovery) keep(ctx context.Context, f *spool.Found, s spool.Snapshot) error {
	if s.Local() == 0 {
		return nil // a truncation alone, or an empty file
	}
	k := keeper{
		t: r.t, kind: "recovered", key: f.Key, base: f.Base, props: writtenAt(f),
		seed: r.seed(f), at: f.Created,
	}
	base := r.base(f)
	defer base.Close()
	info, err := k.put(ctx, s, base)
	if err == nil {
		r.t.o.Log.Warn("a file was not closed when its mount died; what was written is kept beside it", "key", f.Key, "kept", info.Key)
	}
	return err
}

// writtenAt are the properties of a file with the time at which its bytes were written last,
// unless its attributes were changed after its last seal, which set the time too.
func writtenAt(f *spool.Found) store.Props {
	props := f.Props
	if f.Attrs || f.Written.IsZero() {
		return props
	}
	x := store.ReadPosix(props.Meta)
	x.Mtime, x.Has = f.Written, x.Has|store.HasMtime
	if meta, err := x.Put(maps.Clone(props.Meta)); err == nil {
		props.Meta = meta
	}
	return props
}

// base reads the version that the file grew from; nothing is sent unless it is needed.
func (r *Recovery) base(f *spool.Found) *reader.Pinned {
	return r.t.o.Reader.Pin(store.Info{
		Key: f.Key, ETag: f.Base.ETag, VersionID: f.Base.VersionID, LastModified: f.Base.LastModified, Size: f.BaseSize,
	})
}
