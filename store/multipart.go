package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// partsParallel bounds the parts of one upload on their way at one time.
	partsParallel = 4
	// perGiB is what the server may take longer for each GiB that it has to put together or
	// copy before it answers.
	perGiB = 30 * time.Second
)

// partSize is the size of the parts of an object: at least least, and so that they are not
// too many.
func partSize(size, least int64) int64 {
	const step = 1 << 20
	n := (size + MaxParts - 1) / MaxParts
	return max(least, (n+step-1)/step*step)
}

// sizeLimit is how long the server may take for a request over so many bytes that it has.
func (c *Client) sizeLimit(size int64) time.Duration {
	return c.timing.Load().Stall + perSize(size)
}

// perSize is how much longer a request takes, and may land after it was given up, because the
// server has so many bytes to put together, copy or take in.
func perSize(size int64) time.Duration {
	return time.Duration(float64(size) / (1 << 30) * float64(perGiB))
}

// sendPart makes one attempt to upload the bytes [off, off+n) of an object as a part.
type sendPart func(ctx context.Context, number int32, off, n int64) (Part, error)

// An upload is one multipart upload of a rewrite.
type upload struct {
	*rewrite
	id   string
	part int64 // bytes of each part but the last
	send sendPart
	open bool // a Complete has ended without an answer and may still land
}

// upload makes the new version by parts. An upload that a conflicting operation has spoilt
// is made anew.
func (r *rewrite) upload(ctx context.Context, part int64, how func(*upload) sendPart) (Info, error) {
	pause := pauses()
	for {
		u := &upload{rewrite: r, part: part}
		u.send = how(u)
		info, again, err := u.run(ctx)
		if !again {
			return info, err
		}
		if !pause.Wait(ctx, nil) {
			return Info{}, unavailable(ctx, err)
		}
	}
}

// run makes one upload; again if it came to nothing and another one may succeed.
func (u *upload) run(ctx context.Context) (info Info, again bool, err error) {
	a := attempt{op: "CreateUpload", key: u.key, permit: u.permit, limit: u.c.timing.Load().Stall}
	// One whose answer is lost stays, without any part, and harms nobody.
	u.id, err = repeat(ctx, 0, func(ctx context.Context) (string, error) {
		return try(ctx, u.c, a, func(ctx context.Context, _ *watch) (string, error) {
			return u.c.api.CreateUpload(ctx, CreateUploadRequest{Key: u.key, Props: u.props, Tags: u.tags})
		})
	})
	if err != nil {
		return Info{}, false, err
	}
	if err := u.tell(); err != nil {
		u.abort(ctx)
		return Info{}, false, err
	}
	parts, err := u.sendAll(ctx)
	if err == nil {
		return u.complete(ctx, parts)
	}
	u.abort(ctx)
	if u.disputed(err) && !gone(err) {
		err = u.conflict(ErrConflict, err) // the source of a copy
	}
	return Info{}, gone(err), err
}

// tell lets the caller note the upload before its first part is sent.
func (u *upload) tell() error {
	if u.w.Uploading == nil {
		return nil
	}
	if err := u.w.Uploading(u.id); err != nil {
		return fmt.Errorf("%s %q: noting the upload %s: %w", u.op, u.key, u.id, err)
	}
	return nil
}

// gone tells that the upload does not exist any more.
func gone(err error) bool { return codeOf(err) == "NoSuchUpload" }

// sendAll uploads all parts. They may be sent again whatever became of an attempt: only
// Complete publishes anything.
func (u *upload) sendAll(ctx context.Context) ([]Part, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	parts := make([]Part, (u.size+u.part-1)/u.part)
	var next atomic.Int64
	var work sync.WaitGroup
	var once sync.Once
	var first error
	for range min(partsParallel, len(parts)) {
		work.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(parts)); i = next.Add(1) - 1 {
				off := i * u.part
				n := min(u.part, u.size-off)
				part, err := repeat(ctx, 0, func(ctx context.Context) (Part, error) { return u.send(ctx, int32(i+1), off, n) })
				if err != nil {
					once.Do(func() { first = err })
					cancel()
					return
				}
				parts[i] = part
				u.progress(n)
			}
		})
	}
	work.Wait()
	return parts, first
}

// sendBody uploads parts of a body.
func (u *upload) sendBody(b Body) sendPart {
	return func(ctx context.Context, number int32, off, n int64) (Part, error) {
		a := attempt{op: "UploadPart", key: u.key, permit: u.permit, limit: u.c.timing.Load().Stall}
		l, err := u.c.load(ctx, a, b, off, n, nil)
		if err != nil {
			return Part{}, err
		}
		return send(ctx, u.c, a, l, func(ctx context.Context, body BodyReader) (Part, error) {
			return u.c.api.UploadPart(ctx, PartRequest{
				Key: u.key, Upload: u.id, Number: number, Body: body, Size: l.size, CRC32C: l.sum,
			})
		})
	}
}

// sendCopy makes parts of ranges of another object.
func (u *upload) sendCopy(src Source) sendPart {
	return func(ctx context.Context, number int32, off, n int64) (Part, error) {
		a := attempt{op: "CopyPart", key: u.key, permit: u.permit, limit: u.c.sizeLimit(n)}
		part := Range{Offset: off, Length: n}
		if n == u.size {
			part = Range{Length: -1}
		}
		return try(ctx, u.c, a, func(ctx context.Context, _ *watch) (Part, error) {
			return u.c.api.CopyPart(ctx, CopyPartRequest{
				Key: u.key, Upload: u.id, Number: number,
				Source: src.Key, Version: src.Base.VersionID, IfMatch: src.Base.ETag,
				Range: part,
			})
		})
	}
}

// abort frees the parts in the store, also after ctx has ended. It tells whether the server
// has acknowledged: then the upload can never become an object. No permit is asked: this
// takes something back.
func (u *upload) abort(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout)
	defer cancel()
	return u.c.abort(ctx, u.key, u.id) == nil
}

// AbortUpload ends a multipart upload that a dead process has left, and frees its parts. An
// upload that is gone already is fine. It is tried until ctx ends, and fails as reads do.
func (c *Client) AbortUpload(ctx context.Context, key, upload string) error {
	if err := c.abort(ctx, key, upload); err != nil && !gone(err) {
		return err
	}
	return nil
}

func (c *Client) abort(ctx context.Context, key, upload string) error {
	_, err := read(ctx, c, "AbortUpload", key, 0, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.api.AbortUpload(ctx, key, upload)
	})
	return err
}
