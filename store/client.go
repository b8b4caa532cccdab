package store

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/latchfs/latchfs/internal/count"
)

// Options of a Client. The zero value is fine.
type Options struct {
	// Host is written into the metadata of every commit, for people.
	Host string
	// Audit says how much more of its author each commit carries.
	Audit AuditLevel
	// Log gets one line per attempt at level debug; nil discards.
	Log *slog.Logger
	// Timing of the commit protocol; fields that are 0 get the defaults.
	Timing Timing
}

// Defaults of Timing, those of a lock table on DynamoDB.
const (
	defaultQuiet = 30 * time.Second
	defaultStall = 10 * time.Second
)

// A Client reads and changes the objects of one bucket, as doc.go says. It is safe for
// concurrent use.
type Client struct {
	api      API
	host     string
	audit    AuditLevel
	log      *slog.Logger
	timing   atomic.Pointer[Timing]
	flaws    atomic.Uint32 // of the server, as Flaws
	requests count.Counter
	buffers  *buffers
}

// New returns a client of the bucket that api reaches. It sends nothing.
func New(api API, o Options) *Client {
	c := &Client{api: api, host: o.Host, audit: o.Audit, log: o.Log, buffers: newBuffers()}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.SetTiming(o.Timing)
	return c
}

// SetTiming sets the times of the commit protocol, which a mount learns from its lock
// table. Attempts that are under way keep the old ones.
func (c *Client) SetTiming(t Timing) {
	if t.Quiet == 0 {
		t.Quiet = defaultQuiet
	}
	if t.Stall == 0 {
		t.Stall = defaultStall
	}
	c.timing.Store(&t)
}

// SetFlaws says what the server does wrong, which decides by which requests objects are changed.
// Operations that are under way go on as they began.
func (c *Client) SetFlaws(f Flaws) { c.flaws.Store(uint32(f)) }

// Flaws gives what SetFlaws has set.
func (c *Client) Flaws() Flaws { return Flaws(c.flaws.Load()) }

// Requests counts the attempts so far by operation, named as API's methods are.
func (c *Client) Requests() map[string]int64 { return c.requests.Snapshot() }
