package gc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/lockmgr"
)

// A sweep judges the records of a lock table.
type sweep struct {
	table    lockmgr.Records
	t        volume.LockTable
	bucketID string

	sessions []lockmgr.Record
	locks    []lockmgr.Record
	bad      []lockmgr.Record // they could not be read
	states   map[string]lockmgr.State
	silent   map[string]lockmgr.Session // those that say alive and are not
}

// unread is the state of a session whose record could not be read: it may be alive.
const unread = lockmgr.State("unread")

// lockRecords finds the locks of this bucket that nobody can hold, and the sessions that have
// ended and have no lock of any bucket. Locks come first: with its session gone a lock would be
// closed for a lease and a delay to all who want it. Sessions in spare are left alone.
func (f *Found) lockRecords(ctx context.Context, t volume.LockTable, bucketID string, spare map[string]bool, o Options) error {
	table, ok := t.Table.(lockmgr.Records)
	if !ok {
		return fmt.Errorf("lock tables of kind %s cannot be listed", t.Name.Backend)
	}
	if err := table.Removable(); err != nil {
		return err
	}
	s := sweep{table: table, t: t, bucketID: bucketID, states: map[string]lockmgr.State{}, silent: map[string]lockmgr.Session{}}
	if err := table.Records(ctx, s.note); err != nil {
		return err
	}
	s.lookAgain(ctx)
	for _, r := range s.bad {
		f.left(true, "%s", describe(r))
	}
	watch := newSilence(t, o)
	f.watch(ctx, &s, watch, spare)
	f.Items = append(f.Items, s.items(watch)...)
	return nil
}

// note takes a record.
func (s *sweep) note(r lockmgr.Record) error {
	switch {
	case r.Err != nil:
		s.bad = append(s.bad, r)
		if r.Session != nil {
			s.states[r.Session.SID] = unread
		}
	case r.Session != nil:
		s.states[r.Session.SID] = r.Session.State
		s.sessions = append(s.sessions, r)
	default:
		s.locks = append(s.locks, r)
	}
	return nil
}

// lookAgain asks for the sessions of locks that were not among the records: one that began while these were
// listed is none that is missing.
func (s *sweep) lookAgain(ctx context.Context) {
	var silent error // the table does not answer any more
	for _, r := range s.locks {
		sid := r.Lock.SID
		if _, known := s.states[sid]; known || r.Lock.Nonce == "" {
			continue
		}
		if silent != nil {
			s.states[sid] = unread
			continue
		}
		one, err := lockmgr.Insist(ctx, func(ctx context.Context) (lockmgr.Session, error) { return s.t.Table.GetSession(ctx, sid) })
		if err != nil {
			s.bad = append(s.bad, lockmgr.Record{Session: &lockmgr.Session{SID: sid}, Err: err})
			silent, one.State = err, unread
		}
		s.states[sid] = one.State
	}
}

// watch finds which of the sessions that say alive are as good as dead.
func (f *Found) watch(ctx context.Context, s *sweep, watch *silence, spare map[string]bool) {
	var alive []lockmgr.Session
	for _, r := range s.sessions {
		if r.Session.State == lockmgr.Alive && !spare[r.Session.SID] {
			alive = append(alive, *r.Session)
		}
	}
	if more := len(alive) - maxWatched; more > 0 {
		f.left(true, "%d sessions that may be alive: no more than %d are watched at once, so run it again", more, maxWatched)
		alive = alive[:maxWatched]
	}
	silent, unknown := watch.find(ctx, alive)
	for _, one := range silent {
		s.silent[one.SID] = one
	}
	for _, one := range unknown {
		f.left(true, "session %s of host %s: the lock table does not answer well enough to tell whether it is alive", one.SID, one.Host)
	}
}

// items judges what was noted.
func (s *sweep) items(watch *silence) (items []Item) {
	kept := map[string]bool{} // sessions with a lock that stays
	unknown := false          // a lock could not be read, which may be of any session
	for _, r := range s.bad {
		unknown = unknown || r.Lock != nil && errors.Is(r.Err, lockmgr.ErrUnavailable)
	}
	for _, r := range s.locks {
		if i, ok := s.lock(r, watch); ok {
			items = append(items, i)
		} else {
			kept[r.Lock.SID] = true
		}
	}
	for _, r := range s.sessions {
		if kept[r.Session.SID] || unknown {
			continue
		}
		if i, ok := s.session(r, watch); ok {
			items = append(items, i)
		}
	}
	return items
}

// lock judges a lock. It is not ok if the lock is of another bucket or of a session that may be alive.
func (s *sweep) lock(r lockmgr.Record, watch *silence) (i Item, ok bool) {
	bucket, key, _ := strings.Cut(r.Lock.Name, "\x00")
	if bucket != s.bucketID {
		return Item{}, false
	}
	i = Item{Kind: Lock, Name: key, remove: removes(s.table, r)}
	state := s.states[r.Lock.SID]
	if _, silent := s.silent[r.Lock.SID]; silent && r.Lock.Nonce != "" {
		i.Why = fmt.Sprintf("its mount on %s is silent", r.Lock.Host)
		i.Rest = s.t.Config.Delay
		i.watch = watch
		i.remove = watch.onceDead(r.Lock.SID, func(lockmgr.Session) func(context.Context) (bool, error) { return removes(s.table, r) })
		return i, true
	}
	switch {
	case r.Lock.Nonce == "":
		i.Why = "nobody holds it"
	case state == lockmgr.Closed:
		i.Why = fmt.Sprintf("its mount on %s has ended", r.Lock.Host)
	case state == lockmgr.Dead, state == lockmgr.Expired:
		i.Why = fmt.Sprintf("its mount on %s is dead", r.Lock.Host)
		i.Rest = s.t.Config.Delay
	case state == lockmgr.Missing:
		// The record of its session may be the one that is late.
		i.Why = fmt.Sprintf("its mount on %s has no session any more", r.Lock.Host)
		i.Rest = s.t.Config.Lease + s.t.Config.Delay
		i.remove = whileMissing(s.table, s.t, r)
	default:
		return Item{}, false
	}
	return i, true
}

// session judges a session without locks. It is not ok if it may be alive.
func (s *sweep) session(r lockmgr.Record, watch *silence) (i Item, ok bool) {
	one := r.Session
	// It rests, since a late duplicate of the request that made it would make it again, for ever.
	i = Item{Kind: Session, Name: one.SID, Rest: s.t.Config.Delay, remove: removes(s.table, r)}
	_, silent := s.silent[one.SID]
	switch {
	case silent:
		i.Why = fmt.Sprintf("the mount on %s says that it is alive, and was silent for %s", one.Host, s.t.Config.Lease)
		i.watch = watch
		i.remove = watch.onceDead(one.SID, func(dead lockmgr.Session) func(context.Context) (bool, error) {
			return removes(s.table, lockmgr.Record{Session: &dead, Rev: dead.Rev})
		})
	case one.State == lockmgr.Missing:
		i.Why, i.Rest = "it is gone and has mail", 0
	case one.State == lockmgr.Closed:
		i.Why = fmt.Sprintf("the mount on %s has ended", one.Host)
	case one.State == lockmgr.Dead, one.State == lockmgr.Expired:
		i.Why = fmt.Sprintf("the mount on %s is dead", one.Host)
	default: // alive, or what a later version says
		return Item{}, false
	}
	return i, true
}

// describe says of a record why it could not be read.
func describe(r lockmgr.Record) string {
	if r.Session != nil {
		what := fmt.Sprintf("session %q: %v", r.Session.SID, r.Err)
		if errors.Is(r.Err, lockmgr.ErrForeignTable) {
			// Nobody can tell whose it is, and a table may be that of several buckets.
			what += ": if no newer latchfs wrote it, it may be removed by hand once no host has a bucket of this lock table mounted"
		}
		return what
	}
	return fmt.Sprintf("a lock, which the table keeps as %q: %v", r.Lock.Name, r.Err)
}

func removes(table lockmgr.Records, r lockmgr.Record) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		return lockmgr.Insist(ctx, func(ctx context.Context) (bool, error) { return table.Remove(ctx, r) })
	}
}

// whileMissing removes a lock whose session has no record, if it has none still.
func whileMissing(table lockmgr.Records, t volume.LockTable, r lockmgr.Record) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		s, err := lockmgr.Insist(ctx, func(ctx context.Context) (lockmgr.Session, error) { return t.Table.GetSession(ctx, r.Lock.SID) })
		if err != nil || s.State != lockmgr.Missing {
			return false, err
		}
		return removes(table, r)(ctx)
	}
}
