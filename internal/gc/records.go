package gc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/lockmgr"
)

// lockRecords finds the locks of this bucket that nobody can hold, and the sessions that have
// ended and have no lock of any bucket. Locks come first: with its session gone a lock would be
// closed for a lease and a delay to all who want it.
func lockRecords(ctx context.Context, t volume.LockTable, bucketID string) ([]Item, error) {
	table, ok := t.Table.(lockmgr.Records)
	if !ok {
		return nil, fmt.Errorf("lock tables of kind %s cannot be listed", t.Name.Backend)
	}
	if err := table.Removable(); err != nil {
		return nil, err
	}
	sessions := map[string]lockmgr.State{}
	var ended []lockmgr.Record
	kept := map[string]bool{} // sessions with a lock that stays
	var items []Item
	err := table.Records(ctx, func(r lockmgr.Record) error {
		if s := r.Session; s != nil {
			if sessions[s.SID] = s.State; s.State != lockmgr.Alive {
				ended = append(ended, r)
			}
			return nil
		}
		if item, ok := lockItem(table, t, r, bucketID, sessions[r.Lock.SID]); ok {
			items = append(items, item)
		} else {
			kept[r.Lock.SID] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, r := range ended {
		if !kept[r.Session.SID] {
			items = append(items, sessionItem(table, t, r))
		}
	}
	return items, nil
}

// lockItem judges a lock whose session is in this state. It is not ok if the lock is of another
// bucket or of a session that may be alive.
func lockItem(table lockmgr.Records, t volume.LockTable, r lockmgr.Record, bucketID string, state lockmgr.State) (i Item, ok bool) {
	bucket, key, _ := strings.Cut(r.Lock.Name, "\x00")
	if bucket != bucketID {
		return Item{}, false
	}
	i = Item{Kind: Lock, Name: key, remove: removes(table, r)}
	switch {
	case r.Lock.Nonce == "":
		i.Why = "nobody holds it"
	case state == lockmgr.Closed:
		i.Why = fmt.Sprintf("its mount on %s has ended", r.Lock.Host)
	case state == lockmgr.Dead:
		i.Why = fmt.Sprintf("its mount on %s is dead", r.Lock.Host)
		i.Rest = t.Config.Delay
	case state == lockmgr.Missing:
		// The record of its session may be the one that is late.
		i.Why = fmt.Sprintf("its mount on %s has no session any more", r.Lock.Host)
		i.Rest = t.Config.Lease + t.Config.Delay
		i.remove = whileMissing(table, t, r)
	default:
		return Item{}, false
	}
	return i, true
}

func sessionItem(table lockmgr.Records, t volume.LockTable, r lockmgr.Record) Item {
	s := r.Session
	i := Item{Kind: Session, Name: s.SID, remove: removes(table, r)}
	switch s.State {
	case lockmgr.Missing:
		i.Why = "it is gone and has mail"
	case lockmgr.Closed:
		i.Why = fmt.Sprintf("the mount on %s has ended", s.Host)
		// A late duplicate of the request that made it would make it again, for ever.
		i.Rest = t.Config.Delay
	default:
		i.Why = fmt.Sprintf("the mount on %s is dead", s.Host)
		i.Rest = t.Config.Delay
	}
	return i
}

func removes(table lockmgr.Records, r lockmgr.Record) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		return insist(ctx, func(ctx context.Context) (bool, error) { return table.Remove(ctx, r) })
	}
}

// whileMissing removes a lock whose session has no record, if it has none still.
func whileMissing(table lockmgr.Records, t volume.LockTable, r lockmgr.Record) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		s, err := insist(ctx, func(ctx context.Context) (lockmgr.Session, error) { return t.Table.GetSession(ctx, r.Lock.SID) })
		if err != nil || s.State != lockmgr.Missing {
			return false, err
		}
		return removes(table, r)(ctx)
	}
}

const (
	// attempts is how often a request is sent that the table does not answer.
	attempts = 3
	// attemptTimeout bounds one of them.
	attemptTimeout = 10 * time.Second
)

// insist repeats a request that may be sent twice while the table does not answer.
func insist[T any](ctx context.Context, request func(context.Context) (T, error)) (v T, err error) {
	pause := wait.Backoff{First: 100 * time.Millisecond, Last: 2 * time.Second}
	for range attempts {
		v, err = try(ctx, request)
		if !errors.Is(err, lockmgr.ErrUnavailable) || !pause.Wait(ctx, nil) {
			break
		}
	}
	return v, err
}

// try sends a request once.
func try[T any](ctx context.Context, request func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return request(ctx)
}
