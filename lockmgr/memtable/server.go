// Package memtable is a lock table in memory: a fake that several managers share, with
// switches for what goes wrong between a host and a real table.
package memtable

import (
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/latchfs/latchfs/lockmgr"
)

// A Server holds the records. The zero value is not ready; use NewServer.
type Server struct {
	mu       sync.Mutex
	config   *lockmgr.Config
	sessions map[string]*lockmgr.Session
	mail     map[string]map[string]bool // names by session
	locks    map[string]lockmgr.Lock
}

// NewServer returns an empty server, without configuration.
func NewServer() *Server {
	return &Server{sessions: make(map[string]*lockmgr.Session), mail: make(map[string]map[string]bool),
		locks: make(map[string]lockmgr.Lock)}
}

// Table returns a host's connection to the server, with faults of its own.
func (s *Server) Table() *Table { return &Table{s: s} }

// Lock returns the record of a lock as it is, for tests.
func (s *Server) Lock(name string) lockmgr.Lock {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locks[name]
}

// Locks returns how many locks are held.
func (s *Server) Locks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.locks)
}

// Session returns the record of a session as it is, for tests.
func (s *Server) Session(sid string) lockmgr.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session(sid)
}

// DeleteSession removes a session's record, as a TTL or an operator may.
func (s *Server) DeleteSession(sid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, sid)
}

// The verbs below are applied under mu.

func (s *Server) session(sid string) lockmgr.Session {
	ses := s.sessions[sid]
	if ses == nil {
		return lockmgr.Session{SID: sid}
	}
	now := *ses
	now.Rev = fmt.Sprint(ses.State, ses.Beat)
	return now
}

func (s *Server) init(wish lockmgr.Config) (lockmgr.Config, bool, error) {
	if s.config != nil {
		return *s.config, false, s.config.Agree(wish)
	}
	if wish.ID == "" {
		wish.ID = rand.Text()
	}
	wish.Schema = lockmgr.Schema
	s.config = &wish
	return wish, true, nil
}

func (s *Server) putSession(ses lockmgr.Session) error {
	if old := s.sessions[ses.SID]; old != nil {
		if old.State != lockmgr.Alive {
			return lockmgr.ErrSessionDead
		}
		return nil
	}
	ses.State, ses.Beat = lockmgr.Alive, 0
	s.sessions[ses.SID] = &ses
	return nil
}

func (s *Server) beat(sid string, collected []string) ([]string, error) {
	ses := s.sessions[sid]
	if ses == nil || ses.State != lockmgr.Alive {
		return nil, lockmgr.ErrSessionDead
	}
	ses.Beat++
	for _, name := range collected {
		delete(s.mail[sid], name)
	}
	var names []string
	for name := range s.mail[sid] {
		names = append(names, name)
	}
	return names, nil
}

func (s *Server) kill(seen lockmgr.Session) lockmgr.Session {
	if ses := s.sessions[seen.SID]; ses != nil && ses.State == lockmgr.Alive && ses.Beat == seen.Beat {
		ses.State = lockmgr.Dead
	}
	return s.session(seen.SID)
}

func (s *Server) closeSession(sid string) {
	if ses := s.sessions[sid]; ses != nil {
		ses.State = lockmgr.Closed
	}
}

func (s *Server) acquire(l lockmgr.Lock) lockmgr.Lock {
	if old := s.locks[l.Name]; old.Nonce == "" || old.Nonce == l.Nonce {
		s.locks[l.Name] = l
	}
	return s.locks[l.Name]
}

func (s *Server) steal(l lockmgr.Lock, seen string) lockmgr.Lock {
	if old := s.locks[l.Name]; old.Nonce != "" && (old.Nonce == seen || old.Nonce == l.Nonce) {
		s.locks[l.Name] = l
	}
	return s.locks[l.Name]
}

func (s *Server) release(name, nonce string) {
	if s.locks[name].Nonce == nonce {
		delete(s.locks, name)
	}
}

func (s *Server) send(sid, name string) {
	if ses := s.sessions[sid]; ses == nil || ses.State != lockmgr.Alive {
		return
	}
	if s.mail[sid] == nil {
		s.mail[sid] = make(map[string]bool)
	}
	s.mail[sid][name] = true
}
