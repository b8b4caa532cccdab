package doctor

import (
	"testing"

	"github.com/latchfs/latchfs/internal/lifecycle"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

func TestCheckLifecycle(t *testing.T) {
	w := newWorld(memstore.Options{Versioned: true})
	wants(t, checkLifecycle(t.Context(), w.c), "lifecycle", OK, "no rule removes")
	abort := lifecycle.Wanted{Abort: new(3), Expire: &lifecycle.Expire{}}.Apply(store.Lifecycle{})
	if err := w.c.SetLifecycle(t.Context(), abort); err != nil {
		t.Fatal(err)
	}
	wants(t, checkLifecycle(t.Context(), w.c), "lifecycle", OK, "no rule removes")
	if err := w.c.SetLifecycle(t.Context(), lifecycle.Wanted{Expire: &lifecycle.Expire{Days: 9}}.Apply(abort)); err != nil {
		t.Fatal(err)
	}
	wants(t, checkLifecycle(t.Context(), w.c), "lifecycle", OK, "rule latchfs-expire-versions for everything removes versions 9d after")
	for err, want := range map[error]string{store.ErrNotImplemented: "has no lifecycle rules", store.ErrAccessDenied: "s3:GetLifecycleConfiguration"} {
		w.f.On("Lifecycle").Fail(store.Refused, err)
		wants(t, checkLifecycle(t.Context(), w.c), "lifecycle", OK, want)
		w.f.Heal()
	}
}
