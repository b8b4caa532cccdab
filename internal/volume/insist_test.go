package volume

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
)

// A lock table that does not answer once is asked again, one that says no is not, and one that
// never answers is given up before whoever waits does.
func TestInsist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name   string
			answer func(n int) error
			tries  int // 0: more than one
			took   time.Duration
		}{
			{"at once", func(int) error { return nil }, 1, 0},
			{"the second time", func(n int) error {
				if n == 1 {
					return lockmgr.ErrUnavailable
				}
				return nil
			}, 2, time.Second},
			{"refused", func(int) error { return lockmgr.ErrAccessDenied }, 1, 0},
			{"never", func(int) error { return lockmgr.ErrUnavailable }, 0, tablePatience + time.Second},
		} {
			began, n := time.Now(), 0
			_, err := insist(t.Context(), func(context.Context) (bool, error) {
				n++
				return true, c.answer(n)
			})
			if took := time.Since(began); c.tries > 0 && n != c.tries || c.tries == 0 && n < 5 || took > c.took {
				t.Errorf("%s: %d requests in %s", c.name, n, took)
			}
			if want := c.answer(n); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", c.name, err, want)
			}
		}
	})
}
