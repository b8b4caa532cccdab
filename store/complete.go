package store

import (
	"context"
	"errors"
	"fmt"
)

// complete makes the object of the parts. A second attempt after a lost answer needs no
// quiet time: one upload cannot become an object twice.
func (u *upload) complete(ctx context.Context, parts []Part) (info Info, again bool, err error) {
	a := attempt{op: "CompleteUpload", key: u.key, permit: u.permit, limit: u.c.sizeLimit(u.size)}
	pause := pauses()
	for {
		info, err = try(ctx, u.c, a, func(ctx context.Context, _ *watch) (Info, error) {
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
		if !pause.Wait(ctx, nil) {
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
	if !made.Base().Pinned() {
		return u.made(ctx, made), nil
	}
	if current, err := u.c.head(ctx, u.key, "", 0); err == nil && current.VersionID == made.VersionID {
		made.LastModified = current.LastModified
		return u.made(ctx, made), nil
	}
	f, err := u.find(ctx)
	switch {
	case err != nil:
		return Info{}, u.unsettled(ctx, err)
	case f.outcome != Landed:
		return Info{}, u.conflict(ErrOverlaid, fmt.Errorf("version %s, which was made, is not the current one", made.VersionID))
	case f.over != "":
		return Info{}, u.overlaid(f)
	}
	made.LastModified = f.info.LastModified // somebody has copied it at once
	return u.made(ctx, made), nil
}

// overlaid is the conflict of an upload that is in the history and not the current version.
func (u *upload) overlaid(f found) error {
	return u.conflict(ErrOverlaid, fmt.Errorf("%s lies over version %s, which the upload became", f.over, f.info.VersionID))
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
