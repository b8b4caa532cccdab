package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Put makes the body the new version of the key, if what is there is still the base. It
// returns what Head would say of it; only LastModified may be this host's time where the
// bucket is versioned and the version id tells versions apart. An upload costs a HEAD more.
//
// It fails with ErrConflict: somebody else's version is there, and ours is not and will not
// be; ErrNotPermitted; ErrUnavailable; ErrUnknownOutcome; ErrTooLarge above MaxSize; ErrMetadataFull;
// ErrAccessDenied, ErrRefused and others as the server refuses; and with the errors of the
// body's ReadAt. It goes on trying until ctx ends.
func (c *Client) Put(ctx context.Context, p Permit, w Write, b Body) (Info, error) {
	r, err := c.prepare(ctx, "Put", p, w, Source{Key: w.Key, Base: w.Base, Size: b.Size})
	if err != nil {
		return Info{}, err
	}
	return r.write(ctx, b)
}

// write makes the body the new version.
func (r *rewrite) write(ctx context.Context, b Body) (Info, error) {
	if !r.flaws.onePut(b.Size) {
		return r.upload(ctx, partSize(b.Size, PartSize), func(u *upload) sendPart { return u.sendBody(b) })
	}
	if b.Size > PartSize {
		r.late = perSize(b.Size)
	}
	return r.run(ctx, func(ctx context.Context) (Info, error) { return r.put(ctx, b) })
}

// put makes one attempt of a PutObject. Of a large body progress is told while it is read and sent:
// its caller would give up before the end.
func (r *rewrite) put(ctx context.Context, b Body) (Info, error) {
	a := attempt{op: "Put", key: r.key, permit: r.permit, limit: r.c.timing.Load().Stall, answer: r.c.sizeLimit(b.Size)}
	var handed func(at int64)
	var moving func()
	if b.Size > PartSize {
		handed, moving = r.handed, func() { r.handed(0) }
	}
	l, err := r.c.load(ctx, a, b, 0, b.Size, moving)
	if err != nil {
		return Info{}, err
	}
	l.handed = handed
	info, err := send(ctx, r.c, a, l, func(ctx context.Context, body BodyReader) (Info, error) {
		return r.c.api.Put(ctx, PutRequest{
			Key: r.key, Cond: condition(r.w.Base), Props: r.props, Tags: r.tags, Body: body, Size: l.size, CRC32C: l.sum,
		})
	})
	if err != nil {
		return Info{}, err
	}
	r.handed(b.Size)
	return r.made(ctx, info), nil
}

// A rewrite is a mutation that makes a new version, with all that it will have.
type rewrite struct {
	*mutation
	w     Write
	props Props // of the new version
	tags  string
	size  int64
	flaws Flaws // of the server, as they were known when the operation began
	told  int64 // bytes of a body in one piece of which Progress was told
}

// prepare completes the properties of a write, whose tags come from another version.
func (c *Client) prepare(ctx context.Context, op string, p Permit, w Write, from Source) (*rewrite, error) {
	r := &rewrite{mutation: c.mutation(op, p, w), w: w, props: w.Props, size: from.Size, flaws: c.Flaws()}
	if from.Size > r.flaws.maxSize() {
		return nil, fmt.Errorf("%s %q: %w", op, from.Key, ErrTooLarge)
	}
	var err error
	if r.props.Meta, err = c.addOwn(w); err != nil {
		return nil, fmt.Errorf("%s %q: %w", op, w.Key, err)
	}
	if w.Props.TagCount == 0 {
		return r, nil
	}
	r.tags, err = read(ctx, c, "Tags", from.Key, 0, func(ctx context.Context) (string, error) {
		return c.api.Tags(ctx, from.Key, from.Base.VersionID)
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, r.conflict(ErrConflict, err)
	case err != nil && ctx.Err() != nil:
		return nil, unavailable(ctx, err)
	case err != nil:
		return nil, err
	}
	if r.tags, err = withLabels(r.tags, nil); err != nil { // a label is of one version
		return nil, err
	}
	r.props.TagCount = 0
	if r.tags != "" {
		r.props.TagCount = strings.Count(r.tags, "&") + 1
	}
	return r, nil
}

func (r *rewrite) progress(n int64) {
	if r.w.Progress != nil {
		r.w.Progress(n)
	}
}

// handed tells Progress of a body in one piece of which so many bytes are out. What is sent again
// counts once, but is told as 0 more bytes: it moves.
func (r *rewrite) handed(at int64) {
	more := max(0, at-r.told)
	r.told += more
	r.progress(more)
}

// made completes what the answer says of the version that the write made. Where no version
// id tells versions apart LastModified has to be the server's, which costs a HEAD.
func (r *rewrite) made(ctx context.Context, i Info) Info {
	i.Key, i.Size, i.Props = r.key, r.size, r.props
	if i.LastModified.IsZero() && !i.Base().Pinned() {
		i.LastModified = r.lastModified(ctx)
	}
	if i.LastModified.IsZero() {
		i.LastModified = time.Now().UTC().Truncate(time.Second)
	}
	return i
}

// lastModified asks until it is answered: with this host's time the version would not be known
// again. It is zero if ctx ends, if nobody may look, or if somebody else's version is there; the
// write has landed all the same.
func (r *rewrite) lastModified(ctx context.Context) (t time.Time) {
	pause := pauses()
	for {
		seen, err := r.c.Head(ctx, r.key, "")
		switch {
		case err == nil && wrote(seen.Props.Meta, r.w.ID):
			return seen.LastModified
		case !errors.Is(err, ErrUnavailable) || !pause.Wait(ctx, nil):
			return t
		}
	}
}
