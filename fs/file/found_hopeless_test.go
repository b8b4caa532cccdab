package file

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// What this bucket can never take is no failure of a recovery: it is told as left, with the reason, and not
// sent again by this mount; all else that was left is saved. The next mount tries again.
func TestRecoveryOfWhatCanNeverBeSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, locks := bucketOf(memstore.Options{Versioned: true}), newLockTable()
		dead := newHost(t, b, locks)
		for _, key := range []string{"large", "small"} {
			x := dead.open(key, "c")
			dead.write(x, "sealed", 0)
			b.hang(false)
			if err := dead.close(x); !errors.Is(err, ErrUnsaved) {
				t.Fatalf("close: %v", err)
			}
		}
		dead.died()

		sent := 0
		b.before("Put", "large", func() faultstore.Fault {
			sent++
			return faultstore.Fault{Err: &store.AttemptError{Fate: store.Refused, Err: store.ErrTooLarge}}
		})
		next := newHost(t, b, locks)
		for range 2 {
			left := next.recover(dead) // which is no error
			if len(left) != 1 || left[0].Key != "large" || left[0].Bytes != 6 || !strings.Contains(left[0].Reason, store.ErrTooLarge.Error()) {
				t.Errorf("left %+v", left)
			}
		}
		if sent != 1 || b.get("small") != "sealed" || b.get("large") != "-" {
			t.Errorf("sent %d times; small %q, large %q", sent, b.get("small"), b.get("large"))
		}
		next.stop()
		b.net.Heal()
		last := newHost(t, b, locks)
		if left := last.recover(dead); len(left) != 0 || b.get("large") != "sealed" {
			t.Errorf("left %+v, large %q", left, b.get("large"))
		}
		last.stop()
	})
}

// A refusal that may end is a failure, and tried again.
func TestRecoveryOfWhatIsRefused(t *testing.T) {
	for _, refusal := range []error{store.ErrAccessDenied, store.ErrRetained, store.ErrArchived, store.ErrNoBucket, store.ErrRefused} {
		synctest.Test(t, func(t *testing.T) {
			b, locks := bucketOf(memstore.Options{Versioned: true}), newLockTable()
			dead := newHost(t, b, locks)
			x := dead.open("a", "c")
			dead.write(x, "sealed", 0)
			b.hang(false)
			if err := dead.close(x); !errors.Is(err, ErrUnsaved) {
				t.Fatalf("close: %v", err)
			}
			dead.died()
			b.net.On("Put").Fail(store.Refused, refusal)
			next := newHost(t, b, locks)
			defer next.stop()
			r, err := next.Recovery(dead.dir)
			if err != nil {
				t.Fatal(err)
			}
			if left, err := r.Run(t.Context()); len(left) != 1 || !errors.Is(err, refusal) {
				t.Errorf("%v: left %+v, %v", refusal, left, err)
			}
			r.Close()
			b.net.Heal()
			if left := next.recover(dead); len(left) != 0 || b.get("a") != "sealed" {
				t.Errorf("%v: left %+v, %q", refusal, left, b.get("a"))
			}
		})
	}
}
