package file

import (
	"context"
	"time"

	"github.com/latchfs/latchfs/store"
)

// A recorder notes the changes of the bucket, of one mount or, with none, of somebody else.
type recorder struct {
	store.API
	w *witness
	m *mount
}

// arrives counts how often a request has come to the bucket. w.mu is held.
func arrives(ctx context.Context) {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		r.arrived++
	}
}

// landed notes what a request has made. w.mu is held.
func (r *recorder) landed(ctx context.Context, key string, info store.Info, source *edition) {
	w := r.w
	h := w.history(key)
	if cur := w.current(key); cur.ETag != "" && cur.Base() != info.Base() && info.ETag != "" && w.versioned && cur.VersionID != info.VersionID {
		return // an upload under a newer version: it never was the current one
	}
	v := &edition{key: key, n: len(h.editions), at: time.Now(), by: r.m, prev: h.current(), source: source}
	if v.req, _ = ctx.Value(requestKey{}).(*request); v.req != nil {
		v.repeated = v.req.arrived > 1
	}
	if cur := w.current(key); cur.ETag == "" {
		v.deleted = true
	} else {
		v.info, v.attr, v.base = cur, AttrOf(cur, Defaults{UID: 1, GID: 2, FileMode: 0o644, DirMode: 0o755}), cur.Props.Meta["latchfs-base"]
		v.id = cur.Props.Meta["latchfs-write-id"]
		v.body, _ = w.mem.Content(key)
	}
	h.editions = append(h.editions, v)
	v.seq = w.noteLocked(&landing{v: v})
}

// current is the object under a key; the zero Info if there is none.
func (w *witness) current(key string) store.Info {
	info, err := w.mem.Head(context.Background(), store.HeadRequest{Key: key})
	if err != nil {
		return store.Info{}
	}
	return info
}

func (r *recorder) Put(ctx context.Context, in store.PutRequest) (store.Info, error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	arrives(ctx)
	info, err := r.API.Put(ctx, in)
	if err == nil {
		r.landed(ctx, in.Key, info, nil)
	}
	return info, err
}

func (r *recorder) Copy(ctx context.Context, in store.CopyRequest) (store.Info, error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	source := r.w.history(in.Source).version(in.Version)
	info, err := r.API.Copy(ctx, in)
	if err == nil {
		r.landed(ctx, in.Key, info, source)
	}
	return info, err
}

func (r *recorder) CopyPart(ctx context.Context, in store.CopyPartRequest) (store.Part, error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	source := r.w.history(in.Source).version(in.Version)
	part, err := r.API.CopyPart(ctx, in)
	if err == nil {
		r.w.copies[in.Upload] = source
	}
	return part, err
}

func (r *recorder) CompleteUpload(ctx context.Context, in store.CompleteRequest) (store.Info, error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	arrives(ctx)
	info, err := r.API.CompleteUpload(ctx, in)
	if err == nil {
		r.landed(ctx, in.Key, info, r.w.copies[in.Upload])
		delete(r.w.copies, in.Upload)
	}
	return info, err
}

func (r *recorder) AbortUpload(ctx context.Context, key, upload string) error {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	err := r.API.AbortUpload(ctx, key, upload)
	if err == nil {
		delete(r.w.copies, upload)
	}
	return err
}

func (r *recorder) Delete(ctx context.Context, in store.DeleteRequest) error {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	err := r.API.Delete(ctx, in)
	if err == nil {
		r.landed(ctx, in.Key, store.Info{}, nil)
	}
	return err
}
