package volume

import (
	"context"
	"errors"
	"time"

	"github.com/latchfs/latchfs/internal/awserr"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/lockmgr"
)

// tablePatience is how long a lock table is asked again. Most often nobody answers because its address
// has a mistake.
const tablePatience = 5 * time.Second

// insist makes a request to the lock table again until it is answered, for tablePatience: one
// answer of a busy server, or one to a clock that the SDK only then knows to be wrong, says nothing
// of the table. What is wrong with TLS is in a setting, most often, and told at once. Whatever is
// asked may be sent again after any error (lockmgr.Table).
func insist[T any](ctx context.Context, request func(context.Context) (T, error)) (T, error) {
	began := time.Now()
	pause := wait.Backoff{First: 100 * time.Millisecond, Last: time.Second}
	for {
		v, err := request(ctx)
		if !errors.Is(err, lockmgr.ErrUnavailable) || awserr.TLS(err) != awserr.NoTLSFault ||
			time.Since(began) >= tablePatience || !pause.Wait(ctx, nil) {
			return v, err
		}
	}
}

// readTable reads the configuration of a lock table.
func readTable(ctx context.Context, t lockmgr.Table) (lockmgr.Config, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return insist(ctx, t.ReadConfig)
}
