package store_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

// void is a server that forgets bodies: objects of many GiB take no memory. It tells when it has the
// last byte, and does then what a test says.
type void struct {
	store.API
	whole func(ctx context.Context, in store.PutRequest) error
	puts  int
}

func (v *void) Put(ctx context.Context, in store.PutRequest) (store.Info, error) {
	v.puts++
	if n, err := io.Copy(io.Discard, in.Body); err != nil || n != in.Size {
		return store.Info{}, &store.AttemptError{Op: "Put", Fate: store.Unsent, Err: err}
	}
	if err := v.whole(ctx, in); err != nil {
		return store.Info{}, err
	}
	return v.API.Put(ctx, store.PutRequest{Key: in.Key, Cond: in.Cond, Props: in.Props})
}

// LOCKS P4.3: the server may take 30 s for each GiB after the last byte, and an attempt that was given
// up may land so much later than the quiet time. Only then is it sent again, and if it has landed by then
// it is found.
func TestOnePieceIsLate(t *testing.T) {
	const size = 1 << 30
	const late = quiet + 30*time.Second
	for _, c := range []struct {
		name  string
		lands time.Duration // after the connection was closed; 0: never
		puts  int
	}{{"never", 0, 2}, {"at the last moment", late - time.Millisecond, 1}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFlawed(t, true, noComplete)
				base := w.b.PutForeign(key, "base").Base()
				v := &void{API: w.b}
				var sent, closed time.Time
				v.whole = func(ctx context.Context, in store.PutRequest) error {
					if v.puts > 1 {
						return nil
					}
					sent = time.Now()
					<-ctx.Done()
					closed = time.Now()
					if c.lands > 0 {
						time.AfterFunc(c.lands, func() {
							v.API.Put(context.Background(), store.PutRequest{Key: in.Key, Cond: in.Cond, Props: in.Props})
						})
					}
					return &store.AttemptError{Op: "Put", Fate: store.Unknown, Err: ctx.Err()}
				}
				client := store.New(v, store.Options{})
				client.SetFlaws(noComplete)
				body := &pattern{size: size}
				_, err := client.Put(t.Context(), valid(), store.Write{Key: key, ID: id, Base: base}, store.Body{ReaderAt: blank{}, Size: body.size})
				if err != nil || v.puts != c.puts {
					t.Errorf("%v, %d attempts", err, v.puts)
				}
				if d := closed.Sub(sent); d != stall+30*time.Second {
					t.Errorf("the server had %v for its answer", d)
				}
				if d := time.Since(closed); d < late || d > late+time.Second {
					t.Errorf("settled after %v, want %v", d, late)
				}
			})
		})
	}
}

// A body that stands still in the middle is given up as soon as any other.
func TestOnePieceStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFlawed(t, true, noComplete)
		began := time.Now()
		first := true
		client := store.New(stalling{w.b, &first}, store.Options{})
		client.SetFlaws(noComplete)
		body := &pattern{size: store.PartSize + 1}
		if _, err := client.Put(t.Context(), valid(), store.Write{Key: key, ID: id}, store.Body{ReaderAt: body, Size: body.size}); err != nil || first {
			t.Error(err)
		}
		if took := time.Since(began); took < stall || took > stall+time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// stalling stands still in the middle of the first body.
type stalling struct {
	store.API
	first *bool
}

func (s stalling) Put(ctx context.Context, in store.PutRequest) (store.Info, error) {
	if *s.first {
		*s.first = false
		io.CopyN(io.Discard, in.Body, in.Size/2)
		<-ctx.Done()
		return store.Info{}, &store.AttemptError{Op: "Put", Fate: store.Unsent, Err: ctx.Err()}
	}
	return s.API.Put(ctx, in)
}

// blank is any number of zeros.
type blank struct{}

func (blank) ReadAt(p []byte, _ int64) (int, error) { return len(p), nil }

// Whoever takes over a lock waits until the largest request that may be made has landed.
func TestLate(t *testing.T) {
	for _, flaws := range readWrite() {
		want := time.Duration(0)
		if flaws.Has(noComplete) {
			want = 150 * time.Second // 5 GiB
		}
		if got := flaws.Late(); got != want {
			t.Errorf("%s: %v", flaws, got)
		}
	}
}

// SEMANTICS "Servers": what one request cannot make is refused before anything is sent.
func TestTooLargeForOnePiece(t *testing.T) {
	for _, flaws := range readWrite() {
		most := int64(store.MaxObject)
		if flaws.Has(noComplete) {
			most = store.MaxPut
		}
		c := store.New(newFlawed(t, true, flaws).b, store.Options{})
		c.SetFlaws(flaws)
		if got := c.MaxSize(); got != most {
			t.Errorf("%s: at most %d bytes", flaws, got)
		}
		write := store.Write{Key: key, ID: id}
		_, err := c.Put(t.Context(), valid(), write, store.Body{ReaderAt: blank{}, Size: most + 1})
		_, cerr := c.Copy(t.Context(), valid(), write, store.Source{Key: "source", Base: store.Base{ETag: "e"}, Size: most + 1})
		if !errors.Is(err, store.ErrTooLarge) || !errors.Is(cerr, store.ErrTooLarge) || len(c.Requests()) != 0 {
			t.Errorf("%s: %v, %v, %v", flaws, err, cerr, c.Requests())
		}
	}
}

// A copy above 64 MiB in one request has the time of its size.
func TestLargeCopyInOneRequest(t *testing.T) {
	late := perSize(len(bigSource)) - stall
	synctest.Test(t, func(t *testing.T) {
		w := newFlawed(t, true, noComplete)
		from, base := w.b.PutForeign("source", bigSource), w.b.PutForeign(key, "base").Base()
		w.f.On("Copy").Nth(1).Late(quiet + late - time.Millisecond)
		began := time.Now()
		if _, err := w.copies(from, base); err != nil || w.content(key) != bigSource || w.c.Requests()["Copy"] != 1 {
			t.Errorf("%v, %v", err, w.c.Requests())
		}
		if took := time.Since(began); took < quiet+late || took > quiet+late+time.Second {
			t.Errorf("took %v", took)
		}
		w.avoids(noComplete)
	})
}
