package store

import (
	"context"
	"fmt"
)

// copySize is the size in bytes of the largest copy in one request, and of the parts of
// larger ones: the server is done with it long before the quiet time is over.
const copySize = 64 << 20

// Copy makes the bytes of the source, under the properties of the write, the new version of
// the key, if what is there is still the base and the source still its own. Tags, if
// Props.TagCount says that there are any, are the source's. Result and errors are those of
// Put; a source that is gone or was changed is ErrConflict too.
func (c *Client) Copy(ctx context.Context, p Permit, w Write, src Source) (Info, error) {
	if src.Base.Absent() {
		return Info{}, fmt.Errorf("Copy %q: %w", src.Key, ErrNotFound)
	}
	r, err := c.prepare(ctx, "Copy", p, w, src)
	if err != nil {
		return Info{}, err
	}
	switch {
	case r.flaws.oneCopy(src.Size):
		r.needs = true
		if src.Size > copySize {
			r.late = perSize(src.Size)
		}
		return r.run(ctx, func(ctx context.Context) (Info, error) { return r.copy(ctx, src) })
	case r.flaws.partCopies(src.Size):
		r.needs = true
		return r.upload(ctx, partSize(src.Size, copySize), func(u *upload) sendPart { return u.sendCopy(src) })
	}
	return r.copyBytes(ctx, src)
}

// copy makes one attempt of a CopyObject.
func (r *rewrite) copy(ctx context.Context, src Source) (Info, error) {
	a := attempt{op: "Copy", key: r.key, permit: r.permit, limit: r.c.sizeLimit(src.Size)}
	info, err := try(ctx, r.c, a, func(ctx context.Context, _ *watch) (Info, error) {
		return r.c.api.Copy(ctx, CopyRequest{
			Key: r.key, Cond: condition(r.w.Base),
			Source: src.Key, Version: src.Base.VersionID, IfMatch: src.Base.ETag,
			Props: r.props, Tags: r.tags,
		})
	})
	if err != nil {
		return Info{}, err
	}
	r.progress(src.Size)
	return r.made(ctx, info), nil
}
