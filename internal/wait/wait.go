// Package wait holds the two ways to let time pass that every layer needs: to wait for a
// while, and to wait longer each time that something fails.
package wait

import (
	"context"
	"time"
)

// For waits for d, but no longer than until ctx ends or wake is closed or sends; a nil wake
// never does. It tells whether all of d passed and ctx has not ended.
func For(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	case <-wake:
		return false
	}
}
