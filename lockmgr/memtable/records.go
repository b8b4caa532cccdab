package memtable

import (
	"context"

	"github.com/latchfs/latchfs/lockmgr"
)

var _ lockmgr.Records = (*Table)(nil)

// Records implements lockmgr.Records.
func (t *Table) Records(ctx context.Context, use func(lockmgr.Record) error) error {
	all, err := call(ctx, t, "records", func() ([]lockmgr.Record, error) { return t.s.records(), nil })
	for _, r := range all {
		if err := use(r); err != nil {
			return err
		}
	}
	return err
}

// Removable implements lockmgr.Records.
func (t *Table) Removable() error { return nil }

// Remove implements lockmgr.Records.
func (t *Table) Remove(ctx context.Context, r lockmgr.Record) (bool, error) {
	return call(ctx, t, "remove", func() (bool, error) { return t.s.remove(r), nil })
}

func (s *Server) records() (all []lockmgr.Record) {
	for sid := range s.sessions {
		ses := s.session(sid)
		all = append(all, lockmgr.Record{Session: &ses, Rev: ses.Rev})
	}
	for _, l := range s.locks {
		all = append(all, lockmgr.Record{Lock: &l, Rev: l.Nonce})
	}
	return all
}

func (s *Server) remove(r lockmgr.Record) bool {
	if r.Lock != nil {
		if now, ok := s.locks[r.Lock.Name]; !ok || now.Nonce != r.Rev {
			return false
		}
		delete(s.locks, r.Lock.Name)
		return true
	}
	sid := r.Session.SID
	if now := s.session(sid); now.State == lockmgr.Missing || now.Rev != r.Rev {
		return false
	}
	delete(s.sessions, sid)
	delete(s.mail, sid)
	return true
}
