package mount

import (
	"context"
	"log/slog"
	"time"

	"github.com/latchfs/latchfs/fs/file"
)

const (
	// firstLook leaves a mount that can save the time to do so before anybody looks at the bond.
	firstLook = time.Second
	// nextLook is the time between two looks at the bond, as it is for the locks (LOCKS P1).
	nextLook = 10 * time.Second
	// lookTime bounds one look.
	lookTime = 10 * time.Second
)

// shutdown ends the open files. It waits until ctx ends for what is still to be saved, but no longer than
// this process may be able to save it.
func (m *Mount) shutdown(ctx context.Context) ([]file.Left, error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	if m.locks != nil {
		go endIfMoved(ctx, m.volume.Moved, end, m.log)
	}
	return m.files.Shutdown(ctx)
}

// endIfMoved calls end once the bucket is bound to another lock table. This process, which keeps to the table
// that it began with, gets no lease any more, and the next mount recovers what waits here only when
// this one is gone. It returns when ctx ends.
func endIfMoved(ctx context.Context, moved func(context.Context) bool, end func(), log *slog.Logger) {
	look := time.NewTimer(firstLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		asking, stop := context.WithTimeout(ctx, lookTime)
		yes := moved(asking)
		stop()
		if yes && ctx.Err() == nil {
			log.Warn("the bucket is bound to another lock table now, so that this mount can save nothing more: it ends, and the next mount saves what is left")
			end()
			return
		}
		look.Reset(nextLook)
	}
}
