package file

import (
	"context"
	"errors"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/store"
)

// journalled runs a request whose bytes, if it has any, are not in the spool. If this process
// dies meanwhile, the recovery finds in the journal that the request may still land.
func (t *Table) journalled(op spool.Op, request func() error) error {
	end, err := t.journal(op)
	if err != nil {
		return err
	}
	err = request()
	if !errors.Is(err, store.ErrUnknownOutcome) {
		end()
	}
	return err
}

// journal notes what is about to be sent; end notes that it is settled. Without a spool nobody
// will look for it (see Locked).
func (t *Table) journal(op spool.Op) (end func(), err error) {
	if t.o.Spool == nil {
		return func() {}, nil
	}
	return t.o.Spool.Begin(op)
}

// put is Put, journalled. The caller tells what has changed.
func (t *Table) put(ctx context.Context, p store.Permit, w store.Write, b store.Body) (info store.Info, err error) {
	err = t.journalled(spool.Op{ID: w.ID, Key: w.Key, Base: w.Base, Kind: "put"}, func() (err error) {
		info, err = t.send(ctx, p, w, b)
		return err
	})
	return info, err
}

// copy is Copy, journalled. The caller tells what has changed.
func (t *Table) copy(ctx context.Context, p store.Permit, w store.Write, src store.Source) (info store.Info, err error) {
	err = t.journalled(spool.Op{ID: w.ID, Key: w.Key, Base: w.Base, Kind: "copy"}, func() (err error) {
		info, err = t.sendCopy(ctx, p, w, src)
		return err
	})
	return info, err
}

// delete is Delete, journalled.
func (t *Table) delete(ctx context.Context, p store.Permit, d store.Deletion) error {
	return t.journalled(spool.Op{ID: store.NewWriteID(), Key: d.Key, Base: d.Base, Kind: "delete"}, func() error {
		return t.o.Objects.Delete(ctx, p, d)
	})
}

// send is Put whose multipart upload, if it makes one, is journalled.
func (t *Table) send(ctx context.Context, p store.Permit, w store.Write, b store.Body) (info store.Info, err error) {
	u := uploads{t: t, key: w.Key}
	w.Uploading = u.begun
	info, err = t.o.Objects.Put(ctx, p, w, b)
	u.end(err == nil)
	return info, err
}

// sendCopy is Copy in the same way.
func (t *Table) sendCopy(ctx context.Context, p store.Permit, w store.Write, src store.Source) (info store.Info, err error) {
	u := uploads{t: t, key: w.Key}
	w.Uploading = u.begun
	info, err = t.o.Objects.Copy(ctx, p, w, src)
	u.end(err == nil)
	return info, err
}

// uploads journals the multipart uploads of one write before their first part is sent: parts
// are stored and paid for until somebody aborts them, and no listing of objects shows them. If
// this process dies, the recovery aborts what it finds in the journal.
type uploads struct {
	t   *Table
	key string
	all []upload
}

// An upload is one of them; end notes in the journal that it is no more.
type upload struct {
	id  string
	end func()
}

// begun is told of a new upload. A write has one at a time.
func (u *uploads) begun(id string) error {
	end, err := u.t.journal(spool.Op{ID: store.NewWriteID(), Key: u.key, Upload: id, Kind: spool.OpUpload})
	if err != nil {
		return err
	}
	u.all = append(u.all, upload{id, end})
	return nil
}

// end sees to it that no upload stays once the write has returned. One that landed has become
// an object. The store aborts what it gives up, but does not insist.
func (u *uploads) end(landed bool) {
	last := len(u.all) - 1
	for i, up := range u.all {
		if landed && i == last {
			up.end()
			continue
		}
		u.t.work.Go(func() { u.t.abort(u.key, up) })
	}
}

// abort frees the parts of an upload that was given up, before the table ends or else by the
// recovery. Where that is not allowed a lifecycle rule has to do it.
func (t *Table) abort(key string, up upload) {
	err := t.o.Objects.AbortUpload(t.background, key, up.id)
	switch {
	case err == nil:
	case refused(err):
		t.o.Log.Warn("a multipart upload cannot be aborted; its parts are stored until a lifecycle rule does", "key", key, "upload", up.id, "err", err)
	default:
		t.mu.Lock()
		defer t.mu.Unlock()
		t.lost = append(t.lost, Left{Key: key, Reason: "parts of an upload that was given up are to be removed"})
		return
	}
	up.end()
}
