package lockmgr

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/latchfs/latchfs/internal/seldom"
)

// Options are a mount's identity and hooks. The zero value of a field that is not named as
// required is fine.
type Options struct {
	// BucketID is the random id of the bucket; a lock's name is that id and the full key.
	BucketID string
	// Name is the random name of this mount, and of its session directory. Session ids are
	// Name.1, Name.2, ...: a new one after every death. Required, and never used again by
	// another manager.
	Name string
	// Host, User, PID and Version tell people who holds a lock.
	Host, User string
	PID        int
	Version    string
	// Log gets what happens to sessions; nil discards.
	Log *slog.Logger
	// LocalDead tells whether the mount of that name is on this host and proved dead, by
	// having obtained the flock of its session directory. Nil: never.
	LocalDead func(name string) bool
	// OnSession is told each session id before the session is written, so that recovery
	// can find it; its error keeps the session from being made.
	OnSession func(sid string) error
	// Bound reads what says that this table is the one to lock in, and fails with ErrUnbound if it is not,
	// any more or just now. It is asked with starting true whenever a session was just written, before a
	// lease under it is given; then as long as that lives, so that a lease is valid only if Bound was
	// asked within BoundTerm. Nil: it always is.
	Bound func(ctx context.Context, starting bool) error
	// Now reads the clock that leases run on; nil is CLOCK_BOOTTIME.
	Now func() time.Duration
}

// releaseParallel bounds the releases on the wire at one time, so that the closes of an
// unpacked archive do not crowd out everything else.
const releaseParallel = 32

// A Manager obtains leases from a Table for one mount. It is safe for concurrent use.
type Manager struct {
	table Table
	cfg   Config
	o     Options
	log   *slog.Logger
	said  *seldom.Log // what may come again and again
	now   func() time.Duration

	// life ends when Close is through; what works in the background runs under it.
	life context.Context
	end  context.CancelFunc
	work sync.WaitGroup
	// wire has a place for each release on its way.
	wire chan struct{}

	closed   chan struct{} // closed when Close began
	quiet    chan struct{} // closed when closing and open is 0
	finished chan struct{} // closed when the first Close is through
	closeErr error         // of the first Close; constant once finished is closed

	// mu guards the fields below and those of slot and watch that say so. It is a leaf:
	// nothing is called and nothing waited for while it is held.
	mu      sync.Mutex
	closing bool
	over    bool // nothing more is started in the background
	open    int  // acquisitions under way, leases out, releases unanswered

	current  *session
	starting *start
	pending  pendingSession
	unbound  bool // Bound said so last
	sids     []string
	own      map[string]bool

	slots   map[string]*slot
	watches map[string]*watch
}

// New returns a manager over t, whose configuration is cfg. It sends nothing before the
// first Acquire, Takeover or Bury: a mount that only reads never touches the lock table.
func New(t Table, cfg Config, o Options) *Manager {
	m := &Manager{
		table: t, cfg: cfg, o: o, log: o.Log, now: o.Now,
		wire:   make(chan struct{}, releaseParallel),
		closed: make(chan struct{}), quiet: make(chan struct{}), finished: make(chan struct{}),
		own: make(map[string]bool), slots: make(map[string]*slot), watches: make(map[string]*watch),
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.said = seldom.New(m.log)
	if m.now == nil {
		m.now = boottime
	}
	m.life, m.end = context.WithCancel(context.Background())
	return m
}

// Sessions returns the ids of all sessions this manager began to make, oldest first.
func (m *Manager) Sessions() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.sids...)
}

// Requests counts the requests sent to the lock table, by verb.
func (m *Manager) Requests() map[string]int64 { return m.table.Requests() }

// Timing returns the times of the table.
func (m *Manager) Timing() Timing { return m.cfg.Timing }

// name is what the lock of a key is called in the table. Bucket id and full key make
// aliases, prefixes and endpoints agree.
func (m *Manager) name(key string) string { return m.o.BucketID + "\x00" + key }

// begin counts something that Close has to wait for.
func (m *Manager) begin() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return ErrClosed
	}
	m.open++
	return nil
}

// more counts one thing more while another is counted, which Close may be waiting for.
func (m *Manager) more() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open++
}

// done ends what begin or more counted.
func (m *Manager) done() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open--
	if m.closing && m.open == 0 {
		close(m.quiet)
	}
}

// spawn starts f in the background, for Close to wait for; false when the manager is through
// with everything. Manager.mu is held.
func (m *Manager) spawn(f func()) bool {
	if m.over {
		return false
	}
	m.work.Go(f)
	return true
}

// inBackground is spawn for those who do not hold Manager.mu.
func (m *Manager) inBackground(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.spawn(f)
}

// Close refuses new acquisitions, waits until every lease was released and every release
// answered, and then writes that the session is closed, so that others need not wait for
// its death. If ctx ends before that the session is left to die: whatever is unanswered
// keeps its locks for lease and delay. Close may be called again; all calls return the
// result of the first.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	if m.closing {
		m.mu.Unlock()
		<-m.finished
		return m.closeErr
	}
	m.closing = true
	close(m.closed)
	if m.open == 0 {
		close(m.quiet)
	}
	m.mu.Unlock()

	m.closeErr = m.shut(ctx)
	m.end()
	m.mu.Lock()
	m.over = true
	m.mu.Unlock()
	m.work.Wait()
	m.said.Tell()
	close(m.finished)
	return m.closeErr
}

func (m *Manager) shut(ctx context.Context) error {
	select {
	case <-m.quiet:
	case <-ctx.Done():
		m.mu.Lock()
		n := m.open
		m.mu.Unlock()
		return fmt.Errorf("close lock session: %d locks not released: %w", n, ctx.Err())
	}
	m.mu.Lock()
	s, left := m.current, m.pending.sid
	m.mu.Unlock()
	// A session whose creation was never answered may exist; it holds nothing, and a
	// closed record of it disturbs nobody.
	sid := left
	if s != nil {
		s.stop()
		sid = s.sid
	}
	if sid == "" {
		return nil
	}
	err := m.insist(ctx, func(ctx context.Context) error { return m.table.CloseSession(ctx, sid) })
	if err != nil {
		return fmt.Errorf("close lock session %s: %w", sid, err)
	}
	return nil
}

// insist repeats an idempotent request until it is answered, refused for good, or ctx or
// the manager's life ends.
func (m *Manager) insist(ctx context.Context, request func(context.Context) error) error {
	b := pauses(50*time.Millisecond, max(time.Second, m.cfg.Beat))
	for {
		err := m.attempt(ctx, request)
		if err == nil || final(err) {
			return err
		}
		if !b.Wait(ctx, m.life.Done()) {
			return err
		}
	}
}

// attempt runs one request under its own deadline.
func (m *Manager) attempt(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.attempt())
	defer cancel()
	return request(ctx)
}

// random returns 128 random bits as text.
func random() string { return rand.Text() }
