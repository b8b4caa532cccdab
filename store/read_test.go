package store_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// Reads are tried again while it may help, and every one is counted.
func TestReadsRetry(t *testing.T) {
	reads := map[string]func(ctx context.Context, c *store.Client) error{
		"Head": func(ctx context.Context, c *store.Client) error { _, err := c.Head(ctx, key, ""); return err },
		"Get": func(ctx context.Context, c *store.Client) error {
			o, err := c.Get(ctx, key, store.GetOptions{})
			if err == nil {
				defer o.Body.Close()
				_, err = io.ReadAll(o.Body)
			}
			return err
		},
		"List": func(ctx context.Context, c *store.Client) error {
			_, err := c.List(ctx, store.ListOptions{})
			return err
		},
		"ListVersions": func(ctx context.Context, c *store.Client) error {
			_, err := c.ListVersions(ctx, store.VersionOptions{})
			return err
		},
		"HeadBucket": func(ctx context.Context, c *store.Client) error { return c.CheckBucket(ctx) },
		"Versioning": func(ctx context.Context, c *store.Client) error { _, err := c.Versioned(ctx); return err },
		"ListUploads": func(ctx context.Context, c *store.Client) error {
			_, err := c.ListUploads(ctx, store.UploadOptions{})
			return err
		},
		"DefaultRetention": func(ctx context.Context, c *store.Client) error {
			_, err := c.DefaultRetention(ctx)
			return err
		},
	}
	for op, read := range reads {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, true)
				w.b.PutForeign(key, "x")
				w.f.On(op).Nth(1).Fail(store.Unsent, errSlow)
				w.f.On(op).Nth(2).Hang()
				w.f.On(op).Nth(3).LoseReply()
				if err := read(t.Context(), w.c); err != nil {
					t.Fatal(err)
				}
				if n := w.c.Requests()[op]; n != 4 {
					t.Errorf("%d attempts", n)
				}
				refused := w.f.On(op).Nth(1).Fail(store.Refused, store.ErrAccessDenied)
				if err := read(t.Context(), w.c); !errors.Is(err, store.ErrAccessDenied) || refused.Fired() != 1 {
					t.Errorf("refused: %v", err)
				}
				w.f.On(op).Fail(store.Unsent, errReset)
				began := time.Now()
				if err := read(t.Context(), w.c); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, errReset) {
					t.Errorf("unreachable: %v", err)
				}
				if took := time.Since(began); took < 30*time.Second || took > 40*time.Second {
					t.Errorf("gave up after %v", took)
				}
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				began = time.Now()
				if err := read(ctx, w.c); !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) {
					t.Errorf("cancelled: %v", err)
				}
				if took := time.Since(began); took != time.Second {
					t.Errorf("cancelled after 1 s, returned after %v", took)
				}
			})
		})
	}
}

// slowBody is an answer that comes in pieces, and then no more.
type slowBody struct {
	ctx    context.Context
	pieces int
	pause  time.Duration
	closed bool
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.pieces--; b.pieces < 0 {
		<-b.ctx.Done()
		return 0, &store.AttemptError{Op: "Get", Fate: store.Unsent, Err: b.ctx.Err()}
	}
	time.Sleep(b.pause)
	p[0] = 'x'
	return 1, nil
}

func (b *slowBody) Close() error { b.closed = true; return nil }

type slowAPI struct {
	*memstore.Bucket
	body *slowBody
}

func (s slowAPI) Get(ctx context.Context, in store.GetRequest) (*store.Object, error) {
	s.body.ctx = ctx
	return &store.Object{Info: store.Info{Key: in.Key}, Body: s.body}, nil
}

// A body that moves is not ended, however long it takes and however slowly it is read; one
// that stalls is, and that is not taken for the caller's own cancelling.
func TestGetBodyStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &slowBody{pieces: 10, pause: 9 * time.Second}
		c := store.New(slowAPI{memstore.New(memstore.Options{}), body}, store.Options{})
		o, err := c.Get(t.Context(), key, store.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		one := make([]byte, 1)
		for range 10 {
			time.Sleep(time.Hour)
			if _, err := o.Body.Read(one); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		_, err = o.Body.Read(one)
		var a *store.AttemptError
		if !errors.As(err, &a) || a.Fate != store.Unsent || errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("stalled for %v", took)
		}
		if o.Body.Close(); !body.closed || body.ctx.Err() == nil {
			t.Error("Close does not give the connection back")
		}
	})
}

func TestGetOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		old := w.b.PutForeign(key, "0123456789")
		w.foreign()
		get := func(o store.GetOptions) string {
			object, err := w.c.Get(t.Context(), key, o)
			if err != nil {
				return err.Error()
			}
			defer object.Body.Close()
			b, _ := io.ReadAll(object.Body)
			return string(b)
		}
		if got := get(store.GetOptions{VersionID: old.VersionID, Range: &store.Range{Offset: 2, Length: 3}}); got != "234" {
			t.Errorf("range of a version: %q", got)
		}
		_, err := w.c.Get(t.Context(), key, store.GetOptions{IfMatch: old.ETag})
		if !errors.Is(err, store.ErrPrecondition) {
			t.Errorf("IfMatch: %v", err)
		}
	})
}
