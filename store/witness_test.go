package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// An act is one operation of a client. Its requests carry it in their context, so that the
// witness knows whose they are, also of those that are late.
type act struct {
	kind  string // put, copy, upload or delete
	id    store.WriteID
	base  store.Base
	began time.Time
	info  store.Info
	err   error

	// Guarded by witness.mu.
	over    bool // it has returned and says that nothing of it can land any more
	gone    bool // a delete was told so and has not returned
	landed  int  // requests that had their effect
	covered bool // the version that it made was not the current one
}

type actKey struct{}

// A witness is the server. It sees what each request that lands does to the key.
type witness struct {
	*memstore.Bucket
	t testing.TB

	restores bool // somebody brings ETags back

	mu         sync.Mutex // held while the key changes
	rng        *rand.Rand // of what somebody else does
	acts       []*act
	absent     time.Time // when nothing was there last
	lateLanded int       // deletes that landed after they were told that nothing is there
}

// top is what the listing shows first; the zero Version is nothing.
func (s *witness) top() store.Version {
	h := s.History(key)
	if len(h) == 0 {
		return store.Version{Deleted: true}
	}
	return h[len(h)-1]
}

// foreign tells whether somebody else made a version. He may keep our metadata.
func foreign(v store.Version) bool {
	meta := v.Info.Props.Meta
	return meta["foreign"] != "" || meta["latchfs-write-id"] == ""
}

// change applies a request, and holds what it does against what its author had seen.
func (s *witness) change(ctx context.Context, do func() (store.Info, error)) (store.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.top()
	s.noteAbsence(before)
	info, err := do()
	a, ok := ctx.Value(actKey{}).(*act)
	if err != nil || !ok {
		return info, err
	}
	after := s.top()
	s.noteAbsence(after)
	a.landed++
	a.covered = a.kind != "delete" && after.Info.VersionID != info.VersionID
	if a.over {
		s.t.Errorf("a %s landed after it had returned %v", a.kind, a.err)
	}
	if a.gone {
		s.lateLanded++
	}
	switch {
	case a.base.Absent() && before.Deleted:
	case before.Info.Base().Same(a.base):
	case before.Info.ETag == a.base.ETag && foreign(before): // the condition does not see it
	default:
		s.t.Errorf("a %s was done to %+v, its author saw %+v", a.kind, before.Info, a.base)
	}
	return info, nil
}

func (s *witness) noteAbsence(top store.Version) {
	if top.Deleted {
		s.absent = time.Now()
	}
}

// begin notes an act and gives the context of its requests.
func (s *witness) begin(ctx context.Context, a *act) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.began = time.Now()
	s.acts = append(s.acts, a)
	return context.WithValue(ctx, actKey{}, a)
}

// gone is what a delete is told before it returns: whoever waits for it may go on.
func (s *witness) gone(a *act) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.gone = true; s.rng.IntN(2) == 0 {
		s.restore(true)
	}
}

// forestall removes the object now and then, just before somebody else does.
func (s *witness) forestall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rng.IntN(3) == 0 {
		s.DeleteForeign(key)
		s.noteAbsence(s.top())
	}
}

// end notes what an act has returned.
func (s *witness) end(a *act, info store.Info, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.info, a.err, a.gone = info, err, false
	a.over = !errors.Is(err, store.ErrUnknownOutcome)
	s.noteAbsence(s.top())
	if a.kind == "delete" && err == nil && a.landed == 0 && s.absent.Before(a.began) {
		s.t.Error("a delete returned nil, and the object was never gone")
	}
}

func (s *witness) Put(ctx context.Context, in store.PutRequest) (store.Info, error) {
	return s.change(ctx, func() (store.Info, error) { return s.Bucket.Put(ctx, in) })
}

func (s *witness) Copy(ctx context.Context, in store.CopyRequest) (store.Info, error) {
	return s.change(ctx, func() (store.Info, error) { return s.Bucket.Copy(ctx, in) })
}

func (s *witness) Delete(ctx context.Context, in store.DeleteRequest) error {
	_, err := s.change(ctx, func() (store.Info, error) { return store.Info{}, s.Bucket.Delete(ctx, in) })
	return err
}

func (s *witness) CompleteUpload(ctx context.Context, in store.CompleteRequest) (store.Info, error) {
	return s.change(ctx, func() (store.Info, error) { return s.Bucket.CompleteUpload(ctx, in) })
}

func (s *witness) CreateUpload(ctx context.Context, in store.CreateUploadRequest) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	upload, err := s.Bucket.CreateUpload(ctx, in)
	if s.restores && s.rng.IntN(3) == 0 {
		s.touch()
	}
	return upload, err
}

// interfere is what somebody else does, now and then.
func (s *witness) interfere(times int, pause time.Duration) {
	for i := range times {
		s.mu.Lock()
		d := upTo(s.rng, pause)
		s.mu.Unlock()
		time.Sleep(d)
		s.mu.Lock()
		s.noteAbsence(s.top())
		switch n := s.rng.IntN(8); {
		case !s.restores || n == 0:
			s.PutForeign(key, fmt.Sprintf("foreign %d", i))
		case n < 3:
			s.DeleteForeign(key)
		case n == 3:
			s.restore(false)
		case n < 7:
			s.restore(true)
		default:
			s.touch()
		}
		s.noteAbsence(s.top())
		s.mu.Unlock()
	}
}

// touch and restore are called with s.mu held.

// touch changes metadata alone. Some tools keep what they do not know, our write id too.
func (s *witness) touch() {
	top := s.top()
	if top.Deleted {
		return
	}
	props := store.Props{Meta: map[string]string{}}
	if s.rng.IntN(2) == 0 {
		props.Meta = top.Info.Props.Meta
	}
	props.Meta["foreign"] = "touched"
	body, _ := s.Content(key)
	s.PutForeignProps(key, body, props, "")
}

// restore puts an old version back, or the last one that was not deleted: the ETag comes back.
func (s *witness) restore(last bool) {
	var old []store.Version
	for _, v := range s.History(key) {
		if !v.Deleted {
			old = append(old, v)
		}
	}
	if len(old) == 0 {
		return
	}
	v := old[len(old)-1]
	if !last {
		v = old[s.rng.IntN(len(old))]
	}
	s.noteAbsence(s.top())
	props := v.Info.Props
	props.Meta["foreign"] = "restored"
	s.PutForeignProps(key, s.text(v.Info.VersionID), props, "")
}

// text is the content of a version.
func (s *witness) text(version string) string {
	o, err := s.Get(context.Background(), store.GetRequest{Key: key, Version: version})
	if err != nil {
		s.t.Fatal(err)
	}
	defer o.Body.Close()
	body, err := io.ReadAll(o.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}
