package file

import (
	"context"
	"errors"
	"sync"

	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/store"
)

// journalled runs a request whose bytes, if it has any, are not in the spool. Should this
// process die meanwhile, whoever recovers it finds in the journal that it may still land.
func (t *Table) journalled(op spool.Op, request func() error) error {
	end, err := t.o.Spool.Begin(op)
	if err != nil {
		return err
	}
	err = request()
	if !errors.Is(err, store.ErrUnknownOutcome) {
		end()
	}
	return err
}

// put is Put, journalled.
func (t *Table) put(ctx context.Context, p store.Permit, w store.Write, b store.Body) (info store.Info, err error) {
	err = t.journalled(spool.Op{ID: w.ID, Key: w.Key, Base: w.Base, Kind: "put"}, func() (err error) {
		info, err = t.send(ctx, p, w, b)
		return err
	})
	if err == nil {
		t.changed(w.Key, &info)
	}
	return info, err
}

// copy is Copy, journalled.
func (t *Table) copy(ctx context.Context, p store.Permit, w store.Write, src store.Source) (info store.Info, err error) {
	err = t.journalled(spool.Op{ID: w.ID, Key: w.Key, Base: w.Base, Kind: "copy"}, func() (err error) {
		info, err = t.sendCopy(ctx, p, w, src)
		return err
	})
	if err == nil {
		t.changed(w.Key, &info)
	}
	return info, err
}

// delete is Delete, journalled.
func (t *Table) delete(ctx context.Context, p store.Permit, d store.Deletion) error {
	return t.journalled(spool.Op{ID: store.NewWriteID(), Key: d.Key, Base: d.Base, Kind: "delete"}, func() error {
		return t.o.Objects.Delete(ctx, p, d)
	})
}

// send is Put whose multipart upload, if it makes one, is journalled.
func (t *Table) send(ctx context.Context, p store.Permit, w store.Write, b store.Body) (store.Info, error) {
	u := uploads{t: t, w: &w}
	defer u.end()
	w.Uploading = u.begun
	return t.o.Objects.Put(ctx, p, w, b)
}

// sendCopy is Copy in the same way.
func (t *Table) sendCopy(ctx context.Context, p store.Permit, w store.Write, src store.Source) (store.Info, error) {
	u := uploads{t: t, w: &w}
	defer u.end()
	w.Uploading = u.begun
	return t.o.Objects.Copy(ctx, p, w, src)
}

// uploads journals the multipart uploads of one write before their first part is sent: parts
// are stored and paid for until somebody aborts them, and no listing of objects shows them.
// Should this process die, the recovery aborts what it finds in the journal. The store aborts
// what it gives up itself, so when the write has returned there is none left.
type uploads struct {
	t *Table
	w *store.Write

	mu   sync.Mutex
	ends []func()
}

func (u *uploads) begun(upload string) error {
	end, err := u.t.o.Spool.Begin(spool.Op{ID: store.NewWriteID(), Key: u.w.Key, Upload: upload, Kind: "upload"})
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ends = append(u.ends, end)
	return nil
}

func (u *uploads) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, end := range u.ends {
		end()
	}
}
