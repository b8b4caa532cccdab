package gc

import (
	"context"
	"fmt"
	"time"

	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/lockmgr"
)

// maxWatched is how many sessions are watched: each is read several times in a lease.
const maxWatched = 1000

// A silence watches the sessions of hosts that may be gone for good: nobody who wants no lock of
// theirs will ever find out. It finds them as a taker of their locks does, and kills them as one does.
type silence struct {
	t     volume.LockTable
	vigil *lockmgr.Vigil
	tell  func(string)

	found  []lockmgr.Session
	killed bool                       // kill is through
	dead   map[string]lockmgr.Session // what became of those that were found
	errs   map[string]error
}

func newSilence(t volume.LockTable, o Options) *silence {
	return &silence{t: t, vigil: lockmgr.NewVigil(t.Table, t.Config.Timing, o.Now), tell: o.Tell,
		dead: map[string]lockmgr.Session{}, errs: map[string]error{}}
}

// find gives those of the sessions that are silent for a lease, and those of which it cannot tell.
func (s *silence) find(ctx context.Context, alive []lockmgr.Session) (silent, unknown []lockmgr.Session) {
	if len(alive) > 0 && s.tell != nil {
		lease := s.t.Config.Lease
		s.tell(fmt.Sprintf("watching the sessions that say they are alive (%d); if one is silent, for at least %s and at most %s",
			len(alive), lease.Round(time.Second), (2 * lease).Round(time.Second)))
	}
	s.found, unknown = s.vigil.Silent(ctx, alive)
	return s.found, unknown
}

// kill declares dead what was found, once, provided that it is silent still. The locks of those that are
// dead then are free a delay after that.
func (s *silence) kill(ctx context.Context) {
	if s.killed {
		return
	}
	s.killed = true
	silent, unknown := s.vigil.Silent(ctx, s.found)
	for _, one := range unknown {
		s.errs[one.SID] = fmt.Errorf("the lock table does not answer well enough to tell whether session %s is alive: %w", one.SID, lockmgr.ErrUnavailable)
	}
	for _, one := range silent {
		now, err := lockmgr.Insist(ctx, func(ctx context.Context) (lockmgr.Session, error) { return s.t.Table.KillSession(ctx, one) })
		if err != nil {
			s.errs[one.SID] = fmt.Errorf("declaring session %s dead: %w", one.SID, err)
			continue
		}
		s.dead[one.SID] = now
	}
}

// onceDead gives a removal for what belongs to a session that was found: it removes nothing unless
// the session is dead by now.
func (s *silence) onceDead(sid string, removal func(dead lockmgr.Session) func(context.Context) (bool, error)) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		dead, ok := s.dead[sid]
		if !ok || dead.State != lockmgr.Dead {
			return false, s.errs[sid]
		}
		return removal(dead)(ctx)
	}
}
