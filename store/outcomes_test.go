package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// A row is one row of LOCKS P4: what happens to the attempts, and what has to come of it.
type row struct {
	name string
	// set prepares it; ctx and permit are those of the operation.
	set func(w *world, o op, p *permit)
	err error // nil: success
	// attempts to make the change.
	attempts int
	// after is the time that it takes, and the name of what is under the key then.
	after   time.Duration
	content string // "ours", "base", "theirs" or "none"
	// unanswered: the caller is told once that the outcome is unknown.
	unanswered bool
	limit      time.Duration // of the context

	// What is different for some of the operations; nil: they are like the others.
	delete, upload, flat func(r *row)
}

const theirs = "theirs"

func (w *world) foreign() { w.b.PutForeign(key, theirs) }

func rows() []row {
	return []row{
		{name: "answered", attempts: 1, content: "ours"},
		{
			name: "the answer is lost", attempts: 1, content: "ours", unanswered: true,
			set: func(w *world, o op, _ *permit) { w.f.On(o.request).Nth(1).LoseReply() },
			// Nobody knows whose deletion it was: ours could land yet.
			delete: func(r *row) { r.after = quiet },
		},
		{
			name: "the answer is lost, and the version superseded", attempts: 1, content: "theirs", unanswered: true, after: quiet,
			set: func(w *world, o op, _ *permit) {
				w.f.On(o.request).Nth(1).LoseReply()
				w.on("Head", 1, w.foreign)
			},
			delete: func(r *row) { r.err = store.ErrConflict },
			flat:   func(r *row) { r.err = store.ErrConflict },
			// The second try says that the upload is gone, and the look finds why. What lies over
			// it may always have been there.
			upload: func(r *row) { r.err, r.attempts, r.after = store.ErrConflict, 2, 0 },
		},
		{
			name: "the answer is lost, and the version deleted", attempts: 1, content: "none", unanswered: true, after: quiet,
			set: func(w *world, o op, _ *permit) {
				w.f.On(o.request).Nth(1).LoseReply()
				w.on("Head", 1, func() { w.b.DeleteForeign(key) })
			},
			delete: func(*row) {},
			flat:   func(r *row) { r.err = store.ErrConflict },
			upload: func(r *row) { r.err, r.attempts, r.after = store.ErrConflict, 2, 0 },
		},
		{
			name: "the request is lost", attempts: 2, content: "ours", unanswered: true, after: quiet,
			set:    func(w *world, o op, _ *permit) { w.f.On(o.request).Nth(1).Fail(store.Unknown, errReset) },
			upload: func(r *row) { r.after = 0 }, // one upload cannot land twice
		},
		{
			name: "two requests are lost", attempts: 3, content: "ours", unanswered: true, after: 2 * quiet,
			set: func(w *world, o op, _ *permit) {
				w.f.On(o.request).Nth(1).Fail(store.Unknown, errReset)
				w.f.On(o.request).Nth(2).Fail(store.Unknown, errReset)
			},
			upload: func(r *row) { r.after = 0 },
		},
		{
			name: "the request lands at the last moment", attempts: 1, content: "ours", unanswered: true, after: quiet,
			set:    func(w *world, o op, _ *permit) { w.f.On(o.request).Nth(1).Late(quiet - time.Millisecond) },
			upload: func(r *row) { r.attempts, r.after = 2, 0 },
		},
		{
			name: "the request hangs", attempts: 2, content: "ours", unanswered: true, after: quiet,
			set:    func(w *world, o op, _ *permit) { w.f.On(o.request).Nth(1).Hang() },
			upload: func(r *row) { r.after = 0 },
		},
		{
			name: "the request is lost and somebody else writes", err: store.ErrConflict, attempts: 1, content: "theirs", unanswered: true, after: quiet,
			set: func(w *world, o op, _ *permit) {
				w.f.On(o.request).Nth(1).Fail(store.Unknown, errReset)
				w.on("Head", 1, w.foreign)
			},
			// Refused by the condition; Abort is acknowledged, so that nothing can land.
			upload: func(r *row) { r.attempts, r.after = 2, 0 },
		},
		{
			name: "somebody else wrote", err: store.ErrConflict, attempts: 1, content: "theirs",
			set: func(w *world, o op, _ *permit) { w.on(o.request, 1, w.foreign) },
		},
		{
			name: "a middle box sends it again", attempts: 1, content: "ours",
			set: func(w *world, o op, _ *permit) { w.f.On(o.request).Nth(1).Resend() },
			// Nothing tells its own deletion from another's.
			delete: func(r *row) { r.err = store.ErrNotFound },
		},
		{
			name: "a middle box sends it again, and somebody else writes", attempts: 1, content: "theirs",
			set: func(w *world, o op, _ *permit) {
				w.f.On(o.request).Nth(1).Resend()
				w.on("Head", 1, w.foreign)
			},
			delete: func(r *row) { r.err = store.ErrConflict },
			flat:   func(r *row) { r.err = store.ErrConflict },
			upload: func(r *row) { r.err = store.ErrConflict },
		},
		{
			name: "the base is gone", err: store.ErrConflict, attempts: 1, content: "none",
			set: func(w *world, o op, _ *permit) { w.on(o.request, 1, func() { w.b.DeleteForeign(key) }) },
			delete: func(r *row) {
				r.err = store.ErrNotFound
			},
		},
		{
			name: "a conflicting operation is under way", attempts: 2, content: "ours",
			set: func(w *world, o op, _ *permit) { w.f.On(o.request).Nth(1).Fail(store.Refused, store.ErrBusy) },
		},
		{
			name: "a conflicting operation won", err: store.ErrConflict, attempts: 1, content: "theirs",
			set: func(w *world, o op, _ *permit) {
				w.f.On(o.request).Nth(1).Fail(store.Refused, store.ErrBusy)
				w.on("Head", 1, w.foreign)
			},
		},
		{
			name: "the server is too busy for a while", attempts: 4, content: "ours",
			set: func(w *world, o op, _ *permit) {
				for n := range 3 {
					w.f.On(o.request).Nth(n+1).Fail(store.Unsent, errSlow)
				}
			},
		},
		{
			name: "the server is too busy until ctx ends", err: store.ErrUnavailable, attempts: -1, content: "base", after: time.Minute, limit: time.Minute,
			set: func(w *world, o op, _ *permit) { w.f.On(o.request).Fail(store.Unsent, errSlow) },
		},
		{
			name: "refused", err: store.ErrAccessDenied, attempts: 1, content: "base",
			set: func(w *world, o op, _ *permit) { w.f.On(o.request).Fail(store.Refused, store.ErrAccessDenied) },
		},
		{
			name: "refused after a lost request", err: store.ErrRetained, attempts: 2, content: "base", unanswered: true, after: quiet,
			set: func(w *world, o op, _ *permit) {
				w.f.On(o.request).Nth(1).Fail(store.Unknown, errReset)
				w.f.On(o.request).Nth(2).Fail(store.Refused, store.ErrRetained)
			},
			upload: func(r *row) { r.after = 0 },
		},
		{
			name: "no permit", err: store.ErrNotPermitted, content: "base",
			set: func(_ *world, _ op, p *permit) { p.gone.Store(true) },
		},
		{
			name: "the permit ends before a resend", err: store.ErrNotPermitted, attempts: 1, content: "base",
			set: func(w *world, o op, p *permit) {
				w.f.Hook(func(op, _ string, _ int) faultstore.Fault {
					if op != o.request {
						return faultstore.Fault{}
					}
					p.gone.Store(true)
					return faultstore.Fault{Err: &store.AttemptError{Fate: store.Unsent, Err: errSlow}}
				})
			},
		},
		{
			name: "the permit ends in the quiet time", err: store.ErrNotPermitted, attempts: 1, content: "base", unanswered: true, after: quiet,
			set: func(w *world, o op, p *permit) {
				w.f.On(o.request).Nth(1).Fail(store.Unknown, errReset)
				w.on("Head", 1, func() { p.gone.Store(true) })
			},
			upload: func(r *row) { r.after = 0 }, // Abort is acknowledged
		},
		{
			name: "the permit ends in the quiet time, and the request lands", attempts: 1, content: "ours", unanswered: true, after: quiet,
			set: func(w *world, o op, p *permit) {
				w.f.On(o.request).Nth(1).Late(quiet - time.Second)
				w.on("Head", 1, func() { p.gone.Store(true) })
				w.f.On("AbortUpload").Fail(store.Unsent, errSlow)
			},
		},
		{
			name: "ctx ends in the quiet time", err: store.ErrUnknownOutcome, attempts: 1, content: "base", unanswered: true, after: 10 * time.Second, limit: 10 * time.Second,
			set: func(w *world, o op, p *permit) {
				w.f.On(o.request).Nth(1).Fail(store.Unknown, errReset)
				w.on("Head", 1, func() { p.gone.Store(true) }) // so that Complete is not tried again
				w.f.On("AbortUpload").Fail(store.Unsent, errSlow)
			},
		},
		{
			name: "the look-up is refused for a while", attempts: 1, content: "ours", unanswered: true, after: quiet,
			set: func(w *world, o op, _ *permit) {
				w.f.On(o.request).Nth(1).LoseReply()
				for n := range 3 {
					w.f.On("Head").Nth(n+1).Fail(store.Refused, store.ErrAccessDenied)
				}
			},
			upload: func(r *row) { r.attempts = 2 }, // NoSuchUpload
		},
		{
			name: "the look-up is refused", err: store.ErrUnknownOutcome, attempts: 1, content: "ours", unanswered: true, after: time.Minute, limit: time.Minute,
			set: func(w *world, o op, _ *permit) {
				w.f.On(o.request).Nth(1).LoseReply()
				w.f.On("Head").Fail(store.Refused, store.ErrAccessDenied)
			},
			upload: func(r *row) { r.attempts = 2 }, // NoSuchUpload
		},
	}
}

// LOCKS P4, for each operation, with and without versions.
func TestOutcomes(t *testing.T) {
	for _, versioned := range []bool{true, false} {
		for _, o := range ops() {
			for _, r := range rows() {
				t.Run(fmt.Sprintf("versioned=%v/%s/%s", versioned, o.name, r.name), func(t *testing.T) {
					r.adapt(o, versioned)
					synctest.Test(t, func(t *testing.T) { r.run(newFlawed(t, versioned, o.flaws), o) })
				})
			}
		}
	}
}

// adapt makes the row that of one operation.
func (r *row) adapt(o op, versioned bool) {
	switch {
	case o.request == "Delete":
		if r.delete != nil {
			r.delete(r)
		}
	case !versioned && r.flat != nil:
		r.flat(r)
		if o.request == "CompleteUpload" && r.unanswered {
			r.attempts++ // the second one says that the upload is gone
		}
	case o.request == "CompleteUpload" && r.upload != nil:
		r.upload(r)
	}
}

func (r *row) run(w *world, o op) {
	base := w.b.PutForeign(key, "base").Base()
	time.Sleep(time.Minute) // another LastModified
	p := valid()
	if r.set != nil {
		r.set(w, o, p)
	}
	ctx := context.Background()
	if r.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.limit)
		defer cancel()
	}
	told := 0
	began := time.Now()
	err := o.run(ctx, w, p, base, func(error) { told++ })
	took := time.Since(began)
	w.f.Wait()

	if r.err == nil && err != nil || !errors.Is(err, r.err) {
		w.Errorf("error %v, want %v", err, r.err)
	}
	for _, other := range []error{store.ErrConflict, store.ErrUnknownOutcome, store.ErrUnavailable, store.ErrNotPermitted, store.ErrAccessDenied, store.ErrNotFound} {
		if err != nil && other != r.err && errors.Is(err, other) {
			w.Errorf("error %v is %v too", err, other)
		}
	}
	w.avoids(o.flaws)
	if n := int(w.c.Requests()[o.request]); n != r.attempts && r.attempts >= 0 {
		w.Errorf("%d attempts, want %d", n, r.attempts)
	}
	if slack := took - r.after; r.name == "the request hangs" && slack != o.limit && o.request != "CompleteUpload" {
		w.Errorf("an attempt that hangs took %v, want %v", slack, o.limit)
	} else if r.name != "the request hangs" && (slack < 0 || slack > 5*time.Second) {
		w.Errorf("took %v, want %v", took, r.after)
	}
	if (told == 1) != r.unanswered || told > 1 {
		w.Errorf("told %d times that the outcome is unknown", told)
	}
	want := map[string]string{"ours": o.want, "base": "base", "theirs": theirs, "none": "-"}[r.content]
	if got := w.content(key); got != want {
		w.Errorf("the key holds %.20q (%d bytes), want %.20q", got, len(got), want)
	}
	if n := w.b.OpenUploads(); n > 0 && !strings.HasPrefix(r.name, "the permit ends in the quiet time, and") && r.err != store.ErrUnknownOutcome {
		w.Errorf("%d uploads are left", n)
	}
	times := 0
	for _, v := range w.b.History(key) {
		if v.Info.Props.Meta["latchfs-write-id"] == string(id) {
			times++
		}
	}
	if times > 1 {
		w.Errorf("the write is in the history %d times", times)
	}
}
