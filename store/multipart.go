package store

import (
	"context"
	"errors"
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
	return c.timing.Load().Stall + time.Duration(float64(size)/(1<<30)*float64(perGiB))
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
	var pause backoff
	for {
		u := &upload{rewrite: r, part: part}
		u.send = how(u)
		info, again, err := u.run(ctx)
		if !again {
			return info, err
		}
		if !pause.wait(ctx) {
			return Info{}, unavailable(ctx, err)
		}
	}
}

// run makes one upload; again if it came to nothing and another one may succeed.
func (u *upload) run(ctx context.Context) (info Info, again bool, err error) {
	a := attempt{op: "CreateUpload", key: u.key, permit: u.permit, limit: u.c.timing.Load().Stall}
	// One whose answer is lost stays behind, and harms nobody.
	u.id, err = repeat(ctx, 0, func(ctx context.Context) (string, error) {
		return try(ctx, u.c, a, func(ctx context.Context, _ func()) (string, error) {
			return u.c.api.CreateUpload(ctx, CreateUploadRequest{Key: u.key, Props: u.props, Tags: u.tags})
		})
	})
	if err != nil {
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
		l, err := u.c.load(ctx, a, b, off, n)
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
		return try(ctx, u.c, a, func(ctx context.Context, _ func()) (Part, error) {
			return u.c.api.CopyPart(ctx, CopyPartRequest{
				Key: u.key, Upload: u.id, Number: number,
				Source: src.Key, Version: src.Base.VersionID, IfMatch: src.Base.ETag,
				Range: Range{Offset: off, Length: n},
			})
		})
	}
}

// complete makes the object of the parts. A second attempt after a lost answer needs no
// quiet time: one upload cannot become an object twice.
func (u *upload) complete(ctx context.Context, parts []Part) (info Info, again bool, err error) {
	a := attempt{op: "CompleteUpload", key: u.key, permit: u.permit, limit: u.c.sizeLimit(u.size)}
	var pause backoff
	for {
		info, err = try(ctx, u.c, a, func(ctx context.Context, _ func()) (Info, error) {
			return u.c.api.CompleteUpload(ctx, CompleteRequest{
				Key: u.key, Upload: u.id, Cond: condition(u.w.Base), Parts: parts, Size: u.size,
			})
		})
		if err == nil {
			info, err = u.confirm(ctx, info)
			return info, false, err
		}
		fate := fateOf(err)
		if fate == Unknown {
			u.lost(err)
			u.open = true
			if f, lerr := u.look(ctx, false); lerr == nil && f.outcome == Landed {
				return f.info, false, nil
			}
		}
		if fate == Refused || errors.Is(err, ErrNotPermitted) {
			return u.giveUp(ctx, err)
		}
		if !pause.wait(ctx) {
			return u.giveUp(ctx, unavailable(ctx, err))
		}
	}
}

// confirm completes what the answer to Complete says of the new version, if that is the
// current one. S3 orders versions by the start of an upload: what somebody else has made
// since lies over ours, and the precondition does not see it if only metadata has changed,
// because that leaves the ETag. Whether ours was current for a while cannot be told; a
// conflict harms nobody. Where no version id tells versions apart there is no order either:
// what is completed last is there.
func (u *upload) confirm(ctx context.Context, made Info) (Info, error) {
	if !made.Base().pinned() {
		return u.made(ctx, made), nil
	}
	f, err := u.find(ctx)
	switch {
	case err != nil:
		return Info{}, u.unsettled(ctx, err)
	case f.outcome != Landed:
		return Info{}, u.conflict(ErrConflict, fmt.Errorf("version %s, which was made, is not the current one", made.VersionID))
	case f.over != "":
		return Info{}, u.overlaid(f)
	}
	if f.info.VersionID == made.VersionID {
		made.LastModified = f.info.LastModified
	}
	return u.made(ctx, made), nil
}

// overlaid is the conflict of an upload that is in the history and not the current version.
func (u *upload) overlaid(f found) error {
	return u.conflict(ErrConflict, fmt.Errorf("%s lies over version %s, which the upload became", f.over, f.info.VersionID))
}

// giveUp ends an upload whose Complete has failed for good, and finds what became of it. If
// a Complete may still land, nothing is said before the upload is surely no more: Abort was
// acknowledged, or the quiet time is over.
func (u *upload) giveUp(ctx context.Context, cause error) (info Info, again bool, err error) {
	about := u.disputed(cause) || gone(cause)
	var f found
	var lerr error
	switch { // it may have become an object that was replaced since
	case u.open: // an error says nothing; the look below counts
		f, lerr = u.look(ctx, true)
	case about:
		f, lerr = u.find(ctx)
	}
	if lerr == nil && f.outcome == Landed {
		return u.landed(f)
	}
	aborted := u.abort(ctx)
	if u.open {
		if !aborted {
			if err := u.quiet(ctx); err != nil {
				return Info{}, false, u.unsettled(ctx, err)
			}
		}
		f, lerr = u.find(ctx)
	}
	switch {
	case lerr != nil:
		return Info{}, false, u.unsettled(ctx, lerr)
	case f.outcome == Landed:
		return u.landed(f)
	case (u.open || about) && f.outcome == Changed:
		return Info{}, false, u.conflict(f.reason, cause)
	case gone(cause), errors.Is(cause, ErrBusy):
		return Info{}, true, cause
	case about:
		return Info{}, false, u.conflict(ErrConflict, cause)
	}
	return Info{}, false, cause
}

// landed is the end of an upload that was found to have become a version.
func (u *upload) landed(f found) (info Info, again bool, err error) {
	if f.over != "" {
		return Info{}, false, u.overlaid(f)
	}
	return f.info, false, nil
}

// abort frees the parts in the store, also after ctx has ended. It tells whether the server
// has acknowledged: then the upload can never become an object. No permit is asked: this
// takes something back.
func (u *upload) abort(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout)
	defer cancel()
	a := attempt{op: "AbortUpload", key: u.key, limit: attemptTimeout}
	_, err := repeat(ctx, 0, func(ctx context.Context) (struct{}, error) {
		return try(ctx, u.c, a, func(ctx context.Context, _ func()) (struct{}, error) {
			return struct{}{}, u.c.api.AbortUpload(ctx, u.key, u.id)
		})
	})
	return err == nil
}
