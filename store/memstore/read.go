package memstore

import (
	"bytes"
	"context"
	"io"

	"github.com/latchfs/latchfs/store"
)

// Head implements store.API.
func (b *Bucket) Head(ctx context.Context, in store.HeadRequest) (store.Info, error) {
	c, err := b.beginKey(ctx, "Head", in.Key)
	if err != nil {
		return store.Info{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	v, err := b.find(c, in.Key, in.Version)
	if err != nil {
		return store.Info{}, err
	}
	return b.info(in.Key, v), nil
}

// Tags implements store.API.
func (b *Bucket) Tags(ctx context.Context, key, version string) (string, error) {
	c, err := b.beginKey(ctx, "Tags", key)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	v, err := b.find(c, key, version)
	if err != nil {
		return "", err
	}
	return v.tags, nil
}

// Get implements store.API. The body reads the version that was there now, whatever
// happens to it later.
func (b *Bucket) Get(ctx context.Context, in store.GetRequest) (*store.Object, error) {
	c, err := b.beginKey(ctx, "Get", in.Key)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	v, err := b.source(c, in.Key, in.Version, in.IfMatch)
	if err != nil {
		return nil, err
	}
	part := v.body
	if span := b.misread(in); span != nil {
		if part, err = c.cut(v.body, *span); err != nil {
			return nil, err
		}
	}
	return &store.Object{Info: b.info(in.Key, v), Body: &body{ctx: ctx, call: c, r: bytes.NewReader(part)}}, nil
}

// source is find for a request that reads the bytes, under a condition. b.mu is held.
func (b *Bucket) source(c call, key, id, ifMatch string) (*version, error) {
	v, err := b.find(c, key, id)
	switch {
	case err != nil:
		return nil, err
	case ifMatch != "" && ifMatch != v.etag:
		return nil, c.refused("PreconditionFailed")
	case v.archived():
		return nil, c.refused("InvalidObjectState")
	}
	return v, nil
}

// cut gives a span of the bytes; one that ends beyond them is cut short.
func (c call) cut(all []byte, r store.Range) ([]byte, error) {
	size := int64(len(all))
	switch {
	case r.Offset < 0 || r.Length < -1 || r.Length == 0:
		return nil, c.refused("InvalidArgument")
	case r.Offset >= size:
		return nil, c.refused("InvalidRange")
	case r.Length == -1 || r.Length > size-r.Offset:
		return all[r.Offset:], nil
	}
	return all[r.Offset : r.Offset+r.Length], nil
}

// A body is that of an answer to Get. It ends with the context of its request.
type body struct {
	ctx context.Context
	call
	r *bytes.Reader // nil once it is closed
}

func (b *body) Read(p []byte) (int, error) {
	if b.r == nil {
		return 0, b.unsent("", io.ErrClosedPipe)
	}
	if err := b.alive(b.ctx); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

func (b *body) Close() error {
	b.r = nil
	return nil
}
