package mount

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A recovery that fails again and again is tried after longer and longer pauses; another one is not kept
// from its first try.
func TestTriesOfARecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r tries
		var at []time.Duration
		start := time.Now()
		for tick := time.NewTicker(recoverInterval); time.Since(start) < 20*time.Minute; <-tick.C {
			if r.due("refused") {
				at = append(at, time.Since(start))
				time.Sleep(time.Second) // it takes a moment
				r.failed("refused")
			}
			if !r.due("another") {
				t.Error("another session is kept waiting")
			}
		}
		want := []time.Duration{0, 30 * time.Second, 90 * time.Second, 210 * time.Second, 450 * time.Second, 750 * time.Second, 1050 * time.Second}
		if !slices.Equal(at, want) {
			t.Errorf("tried at %v, want %v", at, want)
		}
	})
}
