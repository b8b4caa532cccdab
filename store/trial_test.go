package store_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// trials are all of them, by the operation that they send.
func trials(t *testing.T, c *store.Client) map[string]func() error {
	ctx := t.Context()
	return map[string]func() error{
		"Put":           func() error { return c.TryPut(ctx, "a=b") },
		"Delete":        func() error { return c.TryDelete(ctx) },
		"DeleteVersion": func() error { return c.TryDeleteVersion(ctx) },
		"AbortUpload":   func() error { return c.TryAbort(ctx) },
		"Get":           func() error { return c.TryGet(ctx, "k", "null") },
		"Tags":          func() error { return c.TryTags(ctx, "k", "") },
	}
}

// A trial is granted by any answer but a refusal of the right, is made again where there is none, and
// leaves nothing: also where the server ignores conditions, and where an answer was lost.
func TestTrials(t *testing.T) {
	for name, o := range map[string]memstore.Options{"versioned": {Versioned: true}, "not versioned": {},
		"ignores conditions":                {Versioned: true, Flaws: store.PutConditions | store.DeleteConditions},
		"ignores conditions, not versioned": {Flaws: store.PutConditions | store.DeleteConditions}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := memstore.New(o)
				f := faultstore.New(b)
				kept := b.PutForeign("k", "x")
				for op, try := range trials(t, store.New(f, store.Options{})) {
					f.On(op).Nth(1).Fail(store.Unsent, errSlow)
					if err := try(); err != nil {
						t.Errorf("%s: %v", op, err)
					}
				}
				page, err := b.ListVersions(t.Context(), store.VersionOptions{})
				left := slices.DeleteFunc(page.Versions, func(v store.Version) bool { return v.Info.Key == "k" && v.Info.ETag == kept.ETag })
				if err != nil || len(left) > 0 || b.OpenUploads() > 0 || len(page.Versions) != 1 {
					t.Errorf("left %+v, %v", left, err)
				}
			})
		})
	}
}

func TestTrialsRefused(t *testing.T) {
	for _, want := range []error{store.ErrAccessDenied, store.ErrNotImplemented} {
		f := faultstore.New(memstore.New(memstore.Options{Versioned: true}))
		c := store.New(f, store.Options{})
		for op, try := range trials(t, c) {
			f.Heal()
			refused := f.On(op).Fail(store.Refused, want)
			if err := try(); !errors.Is(err, want) || refused.Fired() != 1 {
				t.Errorf("%s: %v, want %v", op, err, want)
			}
		}
	}
}
