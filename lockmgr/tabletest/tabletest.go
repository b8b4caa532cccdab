// Package tabletest is the conformance suite of lockmgr.Table: what the lock manager
// relies on, checked on the fake and on every real table alike.
package tabletest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
)

// Timing are the times that the suite initialises tables with.
var Timing = lockmgr.Timing{Beat: time.Second, Lease: 20 * time.Second, Delay: 15 * time.Second}

// Run checks a kind of table. fresh returns, for a table that does not exist yet, a
// function that opens connections to it, one for each host that a test plays.
func Run(t *testing.T, fresh func(t *testing.T) func() lockmgr.Table) {
	tests := []struct {
		name string
		run  func(t *testing.T, open func() lockmgr.Table)
	}{
		{"config", testConfig}, {"init race", testInitRace},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, fresh(t)) })
	}
	open := fresh(t)
	if _, _, err := open().Init(t.Context(), lockmgr.Config{Timing: Timing}); err != nil {
		t.Fatal(err)
	}
	tests = []struct {
		name string
		run  func(t *testing.T, open func() lockmgr.Table)
	}{
		{"session", testSession}, {"kill", testKill}, {"kill races beat", testKillRace}, {"close", testClose},
		{"lost replies of a session", testSessionResend},
		{"lock", testLock}, {"steal", testSteal}, {"late duplicates", testLate}, {"stale knowledge", testStale},
		{"records", testRecords}, {"racers", testRacers}, {"names", testNames}, {"mail", testMail}, {"deadline", testDeadline},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open) })
	}
}

func testConfig(t *testing.T, open func() lockmgr.Table) {
	ctx := t.Context()
	a := open()
	if _, err := a.ReadConfig(ctx); !errors.Is(err, lockmgr.ErrNoTable) {
		t.Errorf("ReadConfig of no table = %v", err)
	}
	cfg, created, err := a.Init(ctx, lockmgr.Config{Timing: Timing})
	if err != nil || !created || cfg.ID == "" || cfg.Schema != lockmgr.Schema || cfg.Timing != Timing {
		t.Fatalf("Init = %+v, %v, %v", cfg, created, err)
	}
	again, created, err := open().Init(ctx, lockmgr.Config{Timing: Timing})
	if err != nil || created || again != cfg {
		t.Errorf("second Init = %+v, %v, %v, want %+v", again, created, err, cfg)
	}
	if read, err := open().ReadConfig(ctx); err != nil || read != cfg {
		t.Errorf("ReadConfig = %+v, %v, want %+v", read, err, cfg)
	}
	other := Timing
	other.Lease *= 2
	if _, created, err := a.Init(ctx, lockmgr.Config{Timing: other}); !errors.Is(err, lockmgr.ErrTiming) || created {
		t.Errorf("Init with other times = %v, %v", created, err)
	}
	if read, err := a.ReadConfig(ctx); err != nil || read != cfg {
		t.Errorf("after a refused Init: %+v, %v", read, err)
	}
}

func testInitRace(t *testing.T, open func() lockmgr.Table) {
	const n = 4
	var wg sync.WaitGroup
	var cfgs [n]lockmgr.Config
	var created [n]bool
	for i := range n {
		tab := open()
		wg.Go(func() {
			var err error
			if cfgs[i], created[i], err = tab.Init(t.Context(), lockmgr.Config{Timing: Timing}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	sum := 0
	for i := range n {
		if created[i] {
			sum++
		}
		if cfgs[i] != cfgs[0] {
			t.Errorf("two inits disagree: %+v, %+v", cfgs[i], cfgs[0])
		}
	}
	if sum != 1 {
		t.Errorf("%d of %d inits created the configuration", sum, n)
	}
}

// put makes a session with an id of this test's own.
func put(t *testing.T, tab lockmgr.Table, n int) string {
	t.Helper()
	sid := fmt.Sprintf("%x.%d", t.Name(), n)
	if len(sid) > 100 {
		sid = sid[len(sid)-100:]
	}
	if err := tab.PutSession(t.Context(), lockmgr.Session{SID: sid, State: lockmgr.Alive, Host: "h", User: "u", PID: 7, Version: "v"}); err != nil {
		t.Fatal(err)
	}
	return sid
}

func state(t *testing.T, tab lockmgr.Table, sid string) lockmgr.Session {
	t.Helper()
	s, err := tab.GetSession(t.Context(), sid)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func beat(t *testing.T, tab lockmgr.Table, sid string) []string {
	t.Helper()
	mail, err := tab.Beat(t.Context(), sid)
	if err != nil {
		t.Fatalf("Beat: %v", err)
	}
	return mail
}

func dead(t *testing.T, tab lockmgr.Table, sid string) {
	t.Helper()
	if _, err := tab.Beat(t.Context(), sid); !errors.Is(err, lockmgr.ErrSessionDead) {
		t.Errorf("Beat of a session that ended = %v", err)
	}
}

func testSession(t *testing.T, open func() lockmgr.Table) {
	a, b := open(), open()
	if s := state(t, a, "nobody.1"); s.State != lockmgr.Missing {
		t.Errorf("a session that never was is %+v", s)
	}
	dead(t, a, "nobody.1")
	sid := put(t, a, 1)
	s := state(t, b, sid)
	if s.SID != sid || s.State != lockmgr.Alive || s.Beat != 0 || s.Host != "h" || s.User != "u" || s.PID != 7 || s.Version != "v" {
		t.Errorf("session = %+v", s)
	}
	for range 3 {
		beat(t, a, sid)
	}
	if s := state(t, b, sid); s.Beat != 3 || s.State != lockmgr.Alive || s.Host != "h" {
		t.Errorf("after three beats: %+v", s)
	}
}

func testKill(t *testing.T, open func() lockmgr.Table) {
	a, b := open(), open()
	sid := put(t, a, 1)
	stale := state(t, b, sid)
	beat(t, a, sid)
	if s, err := b.KillSession(t.Context(), stale); err != nil || s.State != lockmgr.Alive || s.Beat != 1 {
		t.Errorf("kill of a session that has beaten since = %+v, %v", s, err)
	}
	seen := state(t, b, sid)
	if s, err := b.KillSession(t.Context(), seen); err != nil || s.State != lockmgr.Dead {
		t.Errorf("kill = %+v, %v", s, err)
	}
	if s, err := b.KillSession(t.Context(), seen); err != nil || s.State != lockmgr.Dead {
		t.Errorf("kill again = %+v, %v", s, err)
	}
	dead(t, a, sid)
	if s := state(t, a, sid); s.State != lockmgr.Dead || s.Beat != 1 {
		t.Errorf("after the kill: %+v", s)
	}
	if s, err := b.KillSession(t.Context(), lockmgr.Session{SID: "nobody.2", State: lockmgr.Alive}); err != nil || s.State != lockmgr.Missing {
		t.Errorf("kill of nobody = %+v, %v", s, err)
	}
}

// testKillRace: of a beat and a kill that saw the state before it, exactly one happens.
func testKillRace(t *testing.T, open func() lockmgr.Table) {
	a, b := open(), open()
	kills := 0
	for i := range 12 {
		sid := put(t, a, i)
		seen := state(t, b, sid)
		var wg sync.WaitGroup
		var beatErr error
		var after lockmgr.Session
		wg.Go(func() { _, beatErr = a.Beat(t.Context(), sid) })
		wg.Go(func() {
			var err error
			if after, err = b.KillSession(t.Context(), seen); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		killed := after.State == lockmgr.Dead
		if killed {
			kills++
		}
		if beaten := beatErr == nil; beaten == killed {
			t.Errorf("beat: %v, kill: %+v: not exactly one happened", beatErr, after)
		}
	}
	t.Logf("%d of 12 were killed", kills)
}

func testClose(t *testing.T, open func() lockmgr.Table) {
	a, b := open(), open()
	sid := put(t, a, 1)
	beat(t, a, sid)
	for range 2 {
		if err := a.CloseSession(t.Context(), sid); err != nil {
			t.Fatal(err)
		}
	}
	if s := state(t, b, sid); s.State != lockmgr.Closed {
		t.Errorf("after Close: %+v", s)
	}
	dead(t, a, sid)
	// Recovery closes a dead session of somebody else.
	sid = put(t, a, 2)
	if _, err := b.KillSession(t.Context(), state(t, b, sid)); err != nil {
		t.Fatal(err)
	}
	if err := b.CloseSession(t.Context(), sid); err != nil {
		t.Fatal(err)
	}
	if s := state(t, a, sid); s.State != lockmgr.Closed {
		t.Errorf("after a burial: %+v", s)
	}
	if err := a.CloseSession(t.Context(), "nobody.3"); err != nil {
		t.Errorf("Close of nobody = %v", err)
	}
	if s := state(t, a, "nobody.3"); s.State != lockmgr.Missing {
		t.Errorf("closing nobody made %+v", s)
	}
}

func testSessionResend(t *testing.T, open func() lockmgr.Table) {
	a, b := open(), open()
	sid := put(t, a, 1)
	put(t, a, 1) // the same again: its first reply was lost
	beat(t, a, sid)
	put(t, a, 1)
	if s := state(t, b, sid); s.Beat != 1 || s.State != lockmgr.Alive {
		t.Errorf("a resent creation set the session back: %+v", s)
	}
	// A beat whose reply was lost: another connection sent it, this one knows nothing of it.
	beat(t, b, sid)
	beat(t, a, sid)
	if s := state(t, b, sid); s.Beat != 3 {
		t.Errorf("beats = %d, want 3", s.Beat)
	}
	if err := a.CloseSession(t.Context(), sid); err != nil {
		t.Fatal(err)
	}
	if err := a.PutSession(t.Context(), lockmgr.Session{SID: sid}); !errors.Is(err, lockmgr.ErrSessionDead) {
		t.Errorf("creation over an ended session = %v", err)
	}
}

// testDeadline: a request whose time is over says so, and says that it is unavailable.
func testDeadline(t *testing.T, open func() lockmgr.Table) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := open()
	if _, err := a.AcquireLock(ctx, lock(t, "k", "n")); err != nil && !errors.Is(err, lockmgr.ErrUnavailable) {
		t.Errorf("AcquireLock = %v", err)
	}
	if _, err := a.GetSession(ctx, "nobody.1"); err != nil && !errors.Is(err, lockmgr.ErrUnavailable) {
		t.Errorf("GetSession = %v", err)
	}
	if err := a.ReleaseLock(t.Context(), lock(t, "k", "n").Name, "n"); err != nil {
		t.Error(err)
	}
}
