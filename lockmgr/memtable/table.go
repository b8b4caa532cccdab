package memtable

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/latchfs/latchfs/internal/count"
	"github.com/latchfs/latchfs/lockmgr"
)

// A Fault says what happens to one request. The zero Fault is a perfect network.
type Fault struct {
	// Drop loses the request: it is never applied, and never answered.
	Drop bool
	// Delay passes before the request is applied, even if the caller has given up by then.
	Delay time.Duration
	// LoseReply keeps the answer from the caller although the request is applied.
	LoseReply bool
	// Duplicate applies the request once more, this long after the first time, if positive.
	Duplicate time.Duration
}

// A Table is one host's connection to a Server.
type Table struct {
	s        *Server
	requests count.Counter

	mu        sync.Mutex
	faults    func(verb string) Fault
	delivered map[string][]string // mail that the last answered beat of a session brought
}

var _ lockmgr.Table = (*Table)(nil)

// SetFaults installs what decides each request's fault; nil removes it. It is called
// with one of "config", "init", "session", "beat", "look", "kill", "close", "acquire", "steal",
// "release", "read", "mail".
func (t *Table) SetFaults(f func(verb string) Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = f
}

// Partition cuts the host off from the table, or joins it again.
func (t *Table) Partition(cut bool) {
	if !cut {
		t.SetFaults(nil)
		return
	}
	t.SetFaults(func(string) Fault { return Fault{Drop: true} })
}

// Requests implements lockmgr.Table.
func (t *Table) Requests() map[string]int64 { return t.requests.Snapshot() }

// call sends one request through the faults.
func call[T any](ctx context.Context, t *Table, verb string, apply func() (T, error)) (T, error) {
	t.requests.Add(verb)
	t.mu.Lock()
	faults := t.faults
	t.mu.Unlock()
	var f Fault
	if faults != nil {
		f = faults(verb)
	}
	var zero T
	lost := func() (T, error) {
		<-ctx.Done()
		return zero, fmt.Errorf("%s: %w: %w", verb, lockmgr.ErrUnavailable, ctx.Err())
	}
	if f.Drop {
		return lost()
	}
	type result struct {
		v   T
		err error
	}
	reply := make(chan result, 1)
	arrive := func() {
		t.s.mu.Lock()
		defer t.s.mu.Unlock()
		v, err := apply()
		reply <- result{v, err}
	}
	if f.Duplicate > 0 {
		time.AfterFunc(f.Delay+f.Duplicate, func() {
			t.s.mu.Lock()
			defer t.s.mu.Unlock()
			_, _ = apply()
		})
	}
	if f.Delay > 0 {
		time.AfterFunc(f.Delay, arrive)
	} else {
		arrive()
	}
	if f.LoseReply {
		return lost()
	}
	select {
	case r := <-reply:
		return r.v, r.err
	case <-ctx.Done():
		return lost()
	}
}

// ReadConfig implements lockmgr.Table.
func (t *Table) ReadConfig(ctx context.Context) (lockmgr.Config, error) {
	return call(ctx, t, "config", func() (lockmgr.Config, error) {
		if t.s.config == nil {
			return lockmgr.Config{}, lockmgr.ErrNoTable
		}
		return *t.s.config, t.s.config.Check()
	})
}

// Init implements lockmgr.Table.
func (t *Table) Init(ctx context.Context, wish lockmgr.Config) (lockmgr.Config, bool, error) {
	type answer struct {
		cfg     lockmgr.Config
		created bool
	}
	a, err := call(ctx, t, "init", func() (answer, error) {
		cfg, created, err := t.s.init(wish)
		return answer{cfg, created}, err
	})
	return a.cfg, a.created, err
}

// PutSession implements lockmgr.Table.
func (t *Table) PutSession(ctx context.Context, ses lockmgr.Session) error {
	_, err := call(ctx, t, "session", func() (struct{}, error) { return struct{}{}, t.s.putSession(ses) })
	return err
}

// Beat implements lockmgr.Table.
func (t *Table) Beat(ctx context.Context, sid string) ([]string, error) {
	t.mu.Lock()
	collected := t.delivered[sid]
	t.mu.Unlock()
	mail, err := call(ctx, t, "beat", func() ([]string, error) { return t.s.beat(sid, collected) })
	if err == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.delivered == nil {
			t.delivered = make(map[string][]string)
		}
		t.delivered[sid] = mail
	}
	return mail, err
}

// GetSession implements lockmgr.Table.
func (t *Table) GetSession(ctx context.Context, sid string) (lockmgr.Session, error) {
	return call(ctx, t, "look", func() (lockmgr.Session, error) { return t.s.session(sid), nil })
}

// KillSession implements lockmgr.Table.
func (t *Table) KillSession(ctx context.Context, seen lockmgr.Session) (lockmgr.Session, error) {
	return call(ctx, t, "kill", func() (lockmgr.Session, error) { return t.s.kill(seen), nil })
}

// CloseSession implements lockmgr.Table.
func (t *Table) CloseSession(ctx context.Context, sid string) error {
	_, err := call(ctx, t, "close", func() (struct{}, error) { t.s.closeSession(sid); return struct{}{}, nil })
	return err
}

// AcquireLock implements lockmgr.Table.
func (t *Table) AcquireLock(ctx context.Context, l lockmgr.Lock) (lockmgr.Lock, error) {
	return call(ctx, t, "acquire", func() (lockmgr.Lock, error) { return t.s.acquire(l), nil })
}

// StealLock implements lockmgr.Table.
func (t *Table) StealLock(ctx context.Context, l lockmgr.Lock, seen string) (lockmgr.Lock, error) {
	return call(ctx, t, "steal", func() (lockmgr.Lock, error) { return t.s.steal(l, seen), nil })
}

// ReleaseLock implements lockmgr.Table.
func (t *Table) ReleaseLock(ctx context.Context, name, nonce string) error {
	_, err := call(ctx, t, "release", func() (struct{}, error) { t.s.release(name, nonce); return struct{}{}, nil })
	return err
}

// GetLock implements lockmgr.Table.
func (t *Table) GetLock(ctx context.Context, name string) (lockmgr.Lock, error) {
	return call(ctx, t, "read", func() (lockmgr.Lock, error) { return t.s.locks[name], nil })
}

// SendMail implements lockmgr.Table.
func (t *Table) SendMail(ctx context.Context, sid, name string) error {
	_, err := call(ctx, t, "mail", func() (struct{}, error) { t.s.send(sid, name); return struct{}{}, nil })
	return err
}
