// Package faultstore puts a network between a client and a store.API that tests can break:
// requests fail, are late, hang, are applied without an answer, or are applied again
// long after their connection is gone.
//
//	f := faultstore.New(memstore.New(memstore.Options{Versioned: true}))
//	f.On("Put").Key("a").Nth(1).LoseReply()
//	f.On("CompleteUpload").Late(29 * time.Second)
package faultstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/store"
)

// ops are the labels of the operations; of a lost answer to a read nobody has to ask what
// it did.
var (
	reads = []string{"Head", "Get", "List", "ListVersions", "Tags", "HeadBucket", "Versioning",
		"DefaultRetention", "ListUploads", "Lifecycle"}
	writes = []string{"Put", "Copy", "Delete", "DeleteVersion", "CreateUpload", "UploadPart", "CopyPart", "CompleteUpload", "AbortUpload",
		"CreateBucket", "EnableVersioning", "SetTags", "SetLifecycle"}
)

// errReset is what the client sees of a connection that broke.
var errReset = errors.New("connection reset by peer")

// A Fault is what happens to one request. The zero Fault is a perfect network.
type Fault struct {
	// Err ends the attempt before it reaches the server.
	Err *store.AttemptError
	// Delay passes before the request reaches the server. If its context ends first it
	// does not get there.
	Delay time.Duration
	// Hang leaves the client without an answer until its context ends. The request does
	// not reach the server, except by LoseReply or Late.
	Hang bool
	// LoseReply applies the request and breaks the connection instead of answering.
	LoseReply bool
	// Late breaks the connection, or with Hang waits for the client to close it, and
	// applies the request this long after.
	Late time.Duration
	// Resend applies the request twice and answers the second time, as a box in the middle
	// does that lost the first answer.
	Resend bool
	// Duplicate applies the request once more, this long after it was applied first.
	Duplicate time.Duration
}

// A Store is a store.API that is reached through a network.
type Store struct {
	api  store.API
	late sync.WaitGroup // requests that are still on their way

	mu    sync.Mutex // guards what follows
	rules []*Rule
	hook  func(op, key string, n int) Fault
	calls map[call]int
}

type call struct{ op, key string }

var _ store.API = (*Store)(nil)

// New puts a perfect network before api.
func New(api store.API) *Store { return &Store{api: api, calls: map[call]int{}} }

// Hook sets a function that decides the fault of each request for which no rule does; n
// counts from 1 the requests with this operation and key. It may itself do what is to
// happen just before the request. Nil takes it away.
func (s *Store) Hook(f func(op, key string, n int) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = f
}

// Heal takes all rules and the hook away: from now on the network is perfect. Requests that
// are under way keep their faults.
func (s *Store) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules, s.hook = nil, nil
}

// Wait waits until no request is on its way any more.
func (s *Store) Wait() { s.late.Wait() }

// fault decides what happens to a request.
func (s *Store) fault(c call) Fault {
	s.mu.Lock()
	s.calls[c]++
	n, hook := s.calls[c], s.hook
	var fires *Rule
	for _, r := range s.rules {
		if r.matches(c) && fires == nil {
			fires = r
		}
	}
	if fires != nil {
		fires.fired++
		defer s.mu.Unlock()
		return fires.fault
	}
	s.mu.Unlock()
	if hook == nil {
		return Fault{}
	}
	return hook(c.op, c.key, n)
}

// lost is the error of an attempt that got no answer.
func (c call) lost(err error) error {
	fate := store.Unknown
	if slices.Contains(reads, c.op) {
		fate = store.Unsent
	}
	return &store.AttemptError{Op: c.op, Key: c.key, Fate: fate, Err: err}
}

// A body is where a request keeps its body, if it has one.
type body struct {
	in   *store.BodyReader
	size int64
}

// send carries a request to the server and its answer back, or not. apply gives it to the
// server, and may be called again.
func send[T any](ctx context.Context, s *Store, c call, b body, apply func(context.Context) (T, error)) (T, error) {
	var none T
	f := s.fault(c)
	if f.Err != nil {
		err := *f.Err
		err.Op, err.Key = c.op, c.key
		return none, &err
	}
	if f.Delay > 0 && !wait.For(ctx, f.Delay, nil) {
		return none, c.lost(ctx.Err())
	}
	again := apply
	if f.Late > 0 || f.Duplicate > 0 || f.Resend {
		var err error
		if again, err = kept(c, b, apply); err != nil {
			return none, err
		}
	}
	if f.Late > 0 {
		err := s.broken(ctx, c, f)
		s.after(ctx, f.Late, func(ctx context.Context) { discard(again(ctx)) })
		return none, err
	}
	if f.Hang && !f.LoseReply {
		return none, s.broken(ctx, c, f)
	}
	if f.Resend {
		discard(again(ctx))
	}
	v, err := again(ctx)
	if f.Duplicate > 0 {
		s.after(ctx, f.Duplicate, func(ctx context.Context) { discard(again(ctx)) })
	}
	if f.LoseReply {
		if failed, ok := errors.AsType[*store.AttemptError](err); ok && failed.Fate == store.Unsent {
			return none, err // there is no reply to lose
		}
		discard(v, err)
		return none, s.broken(ctx, c, f)
	}
	return v, err
}

// broken waits for the end of the connection and gives the client's view of it.
func (s *Store) broken(ctx context.Context, c call, f Fault) error {
	if !f.Hang {
		return c.lost(errReset)
	}
	<-ctx.Done()
	return c.lost(ctx.Err())
}

// after does what the server does when the client is gone.
func (s *Store) after(ctx context.Context, d time.Duration, f func(context.Context)) {
	ctx = context.WithoutCancel(ctx)
	s.late.Go(func() {
		time.Sleep(d)
		f(ctx)
	})
}

// discard drops an answer that nobody gets.
func discard[T any](v T, err error) {
	if o, ok := any(v).(*store.Object); ok && err == nil {
		o.Body.Close()
	}
}

// kept reads the body of a request, as the network does that delivers it later, and gives
// apply with a copy of it.
func kept[T any](c call, b body, apply func(context.Context) (T, error)) (func(context.Context) (T, error), error) {
	if b.in == nil || b.size == 0 {
		return apply, nil
	}
	content := make([]byte, b.size)
	_, err := (*b.in).Seek(0, io.SeekStart)
	if err == nil {
		_, err = io.ReadFull(*b.in, content)
	}
	if err != nil {
		return nil, &store.AttemptError{Op: c.op, Key: c.key, Fate: store.Unsent, Err: fmt.Errorf("reading the body: %w", err)}
	}
	return func(ctx context.Context) (T, error) {
		*b.in = bytes.NewReader(content)
		return apply(ctx)
	}, nil
}
