package faultstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
	"github.com/latchfs/latchfs/store/storetest"
)

// Without faults it is the store that it wraps.
func TestAPI(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.API {
		return faultstore.New(memstore.New(memstore.Options{Missing: true}))
	}, storetest.Options{})
}

// A world is a bucket that is reached through a network, in a bubble of its own.
type world struct {
	*testing.T
	*faultstore.Store
	b     *memstore.Bucket
	began time.Time
}

func bubble(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New(memstore.Options{Versioned: true})
		f(&world{T: t, Store: faultstore.New(b), b: b, began: time.Now()})
	})
}

func request(key, content string) store.PutRequest {
	return store.PutRequest{Key: key, Body: strings.NewReader(content), Size: int64(len(content))}
}

// put sends a Put that gives up after a minute.
func (w *world) put(key, content string) error {
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	_, err := w.Put(ctx, request(key, content))
	return err
}

func (w *world) holds(key, want string) {
	w.Helper()
	if got, _ := w.b.Content(key); got != want {
		w.Errorf("%q holds %q, want %q", key, got, want)
	}
}

func (w *world) fails(err error, fate store.Fate, cause error) {
	w.Helper()
	failed, ok := errors.AsType[*store.AttemptError](err)
	if !ok || failed.Fate != fate || cause != nil && !errors.Is(err, cause) {
		w.Errorf("error %v, want one that is %v, because %v", err, fate, cause)
	}
	if ok && (failed.Op != "Put" || failed.Key == "") {
		w.Errorf("the error names operation %q and key %q", failed.Op, failed.Key)
	}
}

// at checks how much time has passed.
func (w *world) at(want time.Duration) {
	w.Helper()
	if got := time.Since(w.began); got != want {
		w.Errorf("it is %v, want %v", got, want)
	}
}

func TestFail(t *testing.T) {
	bubble(t, func(w *world) {
		r := w.On("Put").Key("a").Nth(2).Fail(store.Unsent, store.ErrUnavailable)
		if err := w.put("a", "1"); err != nil {
			w.Error(err)
		}
		w.fails(w.put("a", "2"), store.Unsent, store.ErrUnavailable)
		w.holds("a", "1")
		if err := w.put("a", "3"); err != nil {
			w.Error(err)
		}
		w.holds("a", "3")
		if r.Fired() != 1 {
			w.Errorf("fired %d times", r.Fired())
		}
	})
}

func TestDelay(t *testing.T) {
	bubble(t, func(w *world) {
		w.On("Put").Key("a").Delay(5 * time.Second)
		if err := w.put("a", "1"); err != nil {
			w.Error(err)
		}
		w.at(5 * time.Second)
		w.holds("a", "1")
		w.On("Put").Key("b").Delay(2 * time.Minute)
		w.fails(w.put("b", "1"), store.Unknown, context.DeadlineExceeded)
		w.at(65 * time.Second)
		time.Sleep(time.Hour)
		w.holds("b", "")
	})
}

func TestHang(t *testing.T) {
	bubble(t, func(w *world) {
		w.On("Put").Hang()
		w.fails(w.put("a", "1"), store.Unknown, context.DeadlineExceeded)
		w.at(time.Minute)
		time.Sleep(time.Hour)
		w.holds("a", "")
	})
}

// Heal ends what rules and hook do to the requests that come, not what they did.
func TestHeal(t *testing.T) {
	bubble(t, func(w *world) {
		w.On("Put").Key("a").Fail(store.Unsent, store.ErrUnavailable)
		w.Hook(func(op, key string, n int) faultstore.Fault { return faultstore.Fault{Late: time.Minute} })
		w.fails(w.put("a", "1"), store.Unsent, store.ErrUnavailable)
		w.fails(w.put("b", "late"), store.Unknown, nil)
		w.Heal()
		for _, key := range []string{"a", "b"} {
			if err := w.put(key, "2"); err != nil {
				w.Error(err)
			}
		}
		time.Sleep(time.Minute + 1)
		w.holds("a", "2")
		w.holds("b", "late")
	})
}

func TestLoseReply(t *testing.T) {
	bubble(t, func(w *world) {
		w.On("Put").Key("a").LoseReply()
		w.fails(w.put("a", "1"), store.Unknown, nil)
		w.at(0)
		w.holds("a", "1")
		// With Hang the server acts and falls silent.
		w.On("Put").Key("b").Do(faultstore.Fault{LoseReply: true, Hang: true})
		w.fails(w.put("b", "1"), store.Unknown, context.DeadlineExceeded)
		w.at(time.Minute)
		w.holds("b", "1")
		// A refusal is lost like any other answer, but what was never sent has none.
		in := request("a", "2")
		in.Cond.IfNone = true
		_, err := w.Put(w.Context(), in)
		w.fails(err, store.Unknown, nil)
		if errors.Is(err, store.ErrPrecondition) {
			w.Error("the lost answer is told")
		}
		in = request("a", "2")
		in.Size++
		_, err = w.Put(w.Context(), in)
		w.fails(err, store.Unsent, io.ErrUnexpectedEOF)
		w.holds("a", "1")
	})
}

// A late request lands long after its connection is gone, body and condition included,
// over whatever is there by then.
func TestLate(t *testing.T) {
	bubble(t, func(w *world) {
		w.On("Put").Nth(1).Late(29 * time.Second)
		body := []byte("late")
		in := store.PutRequest{Key: "a", Cond: store.Condition{IfNone: true}, Body: bytes.NewReader(body), Size: 4}
		ctx, cancel := context.WithCancel(w.Context())
		_, err := w.Put(ctx, in)
		w.fails(err, store.Unknown, nil)
		cancel()
		copy(body, "gone") // its memory has another use by then
		w.at(0)
		time.Sleep(29*time.Second - 1)
		synctest.Wait()
		w.holds("a", "")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		w.holds("a", "late")

		w.On("Put").Nth(1).Do(faultstore.Fault{Hang: true, Late: 10 * time.Second})
		w.fails(w.put("b", "late"), store.Unknown, context.DeadlineExceeded)
		w.at(89 * time.Second)
		w.holds("b", "")
		w.Wait()
		w.at(99 * time.Second)
		w.holds("b", "late")

		// The condition is judged when it lands.
		w.On("Put").Nth(1).Late(time.Second)
		in.Body = strings.NewReader("late")
		if _, err := w.Put(w.Context(), in); err == nil {
			w.Error("a late request was answered")
		}
		w.b.PutForeign("a", "theirs")
		w.Wait()
		w.holds("a", "theirs")

		// A body that ends early never leaves.
		w.On("Put").Nth(1).Late(time.Second)
		in = request("c", "x")
		in.Size = 2
		_, err = w.Put(w.Context(), in)
		w.fails(err, store.Unsent, io.ErrUnexpectedEOF)
		w.Wait()
		w.holds("c", "")
	})
}

func TestDuplicate(t *testing.T) {
	bubble(t, func(w *world) {
		w.On("Put").Nth(1).Duplicate(20 * time.Second)
		if err := w.put("a", "1"); err != nil {
			w.Error(err)
		}
		w.holds("a", "1")
		w.b.PutForeign("a", "2")
		w.Wait()
		w.at(20 * time.Second)
		w.holds("a", "1")
		if n := len(w.b.History("a")); n != 3 {
			w.Errorf("%d versions", n)
		}
		w.On("Put").Nth(1).Do(faultstore.Fault{LoseReply: true, Duplicate: 20 * time.Second})
		w.fails(w.put("b", "1"), store.Unknown, nil)
		w.b.DeleteForeign("b")
		w.Wait()
		w.holds("b", "1")
	})
}

// Of a request that a box in the middle resent, the answer is that to the second.
func TestResend(t *testing.T) {
	bubble(t, func(w *world) {
		w.On("Put").Resend()
		in := request("a", "1")
		in.Cond.IfNone = true
		_, err := w.Put(w.Context(), in)
		w.fails(err, store.Refused, store.ErrPrecondition)
		w.holds("a", "1")
		if err := w.put("b", "1"); err != nil {
			w.Error(err)
		}
		if n := len(w.b.History("b")); n != 2 {
			w.Errorf("%d versions", n)
		}
	})
}

// Of a read nobody has to ask what it did.
func TestReads(t *testing.T) {
	bubble(t, func(w *world) {
		w.b.PutForeign("a", "1")
		w.On("Head").LoseReply()
		w.On("Get").LoseReply()
		_, head := w.Head(w.Context(), store.HeadRequest{Key: "a"})
		_, get := w.Get(w.Context(), store.GetRequest{Key: "a"})
		for _, err := range []error{head, get} {
			if failed, ok := errors.AsType[*store.AttemptError](err); !ok || failed.Fate != store.Unsent {
				w.Errorf("error %v", err)
			}
		}
	})
}

// Rules are for what they name; the first one decides, and the hook where none does.
func TestRules(t *testing.T) {
	bubble(t, func(w *world) {
		w.On("Put").Key("dir/*").Fail(store.Refused, store.ErrRetained)
		all := w.On("").Key("dir/b").Fail(store.Refused, store.ErrAccessDenied)
		w.fails(w.put("dir/a", "1"), store.Refused, store.ErrRetained)
		w.fails(w.put("dir/b", "1"), store.Refused, store.ErrRetained)
		if err := w.put("dir/sub/a", "1"); err != nil {
			w.Error(err)
		}
		if _, err := w.Head(w.Context(), store.HeadRequest{Key: "dir/a"}); !errors.Is(err, store.ErrNotFound) {
			w.Error(err)
		}
		if err := w.Delete(w.Context(), store.DeleteRequest{Key: "dir/b"}); !errors.Is(err, store.ErrAccessDenied) || all.Fired() != 1 {
			w.Errorf("%v, fired %d times", err, all.Fired())
		}
		w.On("Put").Key("n").Nth(1).Fail(store.Refused, store.ErrRetained)
		w.On("Put").Key("n").Nth(2).LoseReply() // counts the first one too
		w.fails(w.put("n", "1"), store.Refused, store.ErrRetained)
		w.fails(w.put("n", "2"), store.Unknown, nil)
		var calls []string
		w.Hook(func(op, key string, n int) faultstore.Fault {
			calls = append(calls, op+" "+key)
			if n == 2 {
				w.b.PutForeign(key, "theirs") // just before
				return faultstore.Fault{LoseReply: true}
			}
			return faultstore.Fault{}
		})
		for range 2 {
			w.put("x", "1")
			w.put("y", "1")
			w.put("dir/a", "1")
		}
		if got := strings.Join(calls, ", "); got != "Put x, Put y, Put x, Put y" {
			w.Errorf("the hook saw %s", got)
		}
		if n := len(w.b.History("x")); n != 3 {
			w.Errorf("%d versions", n)
		}
		w.Hook(nil)
		if err := w.put("x", "2"); err != nil {
			w.Error(err)
		}
	})
}

// A rule that could never match would be a test that cannot fail.
func TestMisspelt(t *testing.T) {
	for name, f := range map[string]func(s *faultstore.Store){
		"operation": func(s *faultstore.Store) { s.On("Write") },
		"pattern":   func(s *faultstore.Store) { s.On("Put").Key("[") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			f(faultstore.New(memstore.New(memstore.Options{})))
		})
	}
}
