package mount

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The bond is looked at as long as the mount waits, also after looks without an answer, and never once
// the waiting is over.
func TestEndIfMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		ctx, end := context.WithCancel(t.Context())
		defer end()
		begun, looks := time.Now(), 0
		endIfMoved(ctx, func(ctx context.Context) bool {
			if looks++; looks == 2 { // no answer
				<-ctx.Done()
			}
			return looks == 4
		}, end, slog.New(slog.NewTextHandler(&log, nil)))
		if took := time.Since(begun); looks != 4 || ctx.Err() == nil || took != firstLook+lookTime+3*nextLook {
			t.Errorf("%d looks, %v, after %s", looks, ctx.Err(), took)
		}
		if strings.Count(log.String(), "bound to another lock table now") != 1 {
			t.Errorf("log: %s", log.String())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithTimeout(t.Context(), firstLook/2)
		defer end()
		endIfMoved(ctx, func(context.Context) bool {
			t.Error("looked at though all is saved")
			return true
		}, end, slog.New(slog.NewTextHandler(io.Discard, nil)))
	})
}
