package volume

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

const (
	bondText   = `{"format":1,"id":"i",%s"lock":{"backend":"s3","table":"locks","table_id":"T"}}`
	fenceText  = `"rebind":{"id":"F","since":"2026-11-28T20:00:00Z","by":"host h (pid 7)","backend":"s3","table":"other"%s},`
	fenceSays  = "bucket b is being bound to lock table s3:other since 2026-11-28T20:00:00Z, by host h (pid 7): wait for the end of that, or, if it was cut off, finish it with latchfs init --rebind --endpoint-url http://e --lock s3:other s3://b"
	otherTable = `{"format":1,"id":"i","lock":{"backend":"s3","table":"locks","table_id":"U"}}`
)

func newBound(t *testing.T) (*proven, *Volume) {
	p := newProven(t, memstore.Options{})
	p.b.PutForeign(store.BucketConfigKey, fmt.Sprintf(bondText, ""))
	v := p.volume()
	v.at.asked.Endpoint, v.host = "http://e", "h"
	return p, v
}

// LOCKS P1: who begins to lock is stopped by any fence, who locks already by one of somebody who does
// not see the table, and both by another bond.
func TestBound(t *testing.T) {
	for _, c := range []struct {
		bond           string
		starts, goesOn bool
		moved          bool
		says           string
	}{
		{fmt.Sprintf(bondText, ""), true, true, false, ""},
		{fmt.Sprintf(bondText, `"theirs":1,`), true, true, false, ""},
		{fmt.Sprintf(bondText, fmt.Sprintf(fenceText, "")), false, true, false, fenceSays},
		{fmt.Sprintf(bondText, fmt.Sprintf(fenceText, `,"blind":true`)), false, false, false, fenceSays},
		{otherTable, false, false, true, "bucket b is bound to lock table s3:locks (id U) now, and to s3:locks (id T) when this began: unmount and mount again"},
		{strings.Replace(otherTable, `"i"`, `"j"`, 1), false, false, false, "unmount and mount again"},
		{strings.Replace(fmt.Sprintf(bondText, ""), `"i"`, `"j"`, 1), false, false, false, "unmount and mount again"},
		{"", false, false, false, "bucket b has no .latchfs/bucket.json any more"},
	} {
		p, v := newBound(t)
		p.b.PutForeign(store.BucketConfigKey, c.bond)
		if c.bond == "" {
			p.b.DeleteForeign(store.BucketConfigKey)
		}
		for _, starting := range []bool{true, false} {
			err, want := v.Bound(t.Context(), starting), c.goesOn
			if starting {
				want = c.starts
			}
			if (err == nil) != want || err != nil && (!errors.Is(err, lockmgr.ErrUnbound) || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%s: starting %v: %v; want %q", c.bond, starting, err, c.says)
			}
		}
		if got := v.Moved(t.Context()); got != c.moved {
			t.Errorf("%s: moved is %v", c.bond, got)
		}
	}
	p, v := newBound(t)
	p.b.PutForeign(store.BucketConfigKey, otherTable)
	p.f.On("Get").Fail(store.Refused, store.ErrAccessDenied)
	if v.Moved(t.Context()) {
		t.Error("moved, though the bond cannot be read")
	}
	p.f.On("Get").Fail(store.Refused, store.ErrAccessDenied)
	if err := v.Bound(t.Context(), true); !errors.Is(err, lockmgr.ErrAccessDenied) {
		t.Errorf("denied: %v", err)
	}
}

// Commands and mounts say what is under way, and the command to finish it; init without --rebind too. With it,
// it goes on to the same table, or to the one that is asked for.
func TestFencedBond(t *testing.T) {
	p, _ := newBound(t)
	p.b.PutForeign(store.BucketConfigKey, fmt.Sprintf(bondText, fmt.Sprintf(fenceText, "")))
	v := p.volume()
	v.at.asked.Endpoint = "http://e"
	_, tableErr := v.LockTable(t.Context())
	_, initErr := v.chooseTable(InitOptions{})
	for what, err := range map[string]error{"CheckBond": v.CheckBond(), "LockTable": tableErr, "init": initErr} {
		if err == nil || err.Error() != fenceSays {
			t.Errorf("%s: %v", what, err)
		}
	}
	third := TableName{BackendS3, "third"}
	for want, asked := range map[string]*TableName{"s3:other": nil, "s3:third": &third} {
		if n, err := v.chooseTable(InitOptions{Rebind: true, Table: asked}); err != nil || n.String() != want {
			t.Errorf("--rebind: %s, %v", n, err)
		}
	}
}

// The new bond takes the place of its own fence alone, whatever else is written there meanwhile; a fence that is taken away
// leaves the bond as it was.
func TestFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, v := newBound(t)
		n := TableName{BackendS3, "other"}
		f, err := v.fence(t.Context(), n, true)
		if err != nil || f.By == "" || !f.Blind || v.CheckBond() == nil || !strings.Contains(v.CheckBond().Error(), "by host h (pid ") {
			t.Fatalf("%+v, %v; %v", f, err, v.CheckBond())
		}
		if err := v.lift(t.Context(), f); err != nil || v.CheckBond() != nil || strings.Contains(p.config(), "rebind") {
			t.Errorf("lifted: %v, %v, %s", err, v.CheckBond(), p.config())
		}
		first, err := v.fence(t.Context(), n, false)
		if err != nil {
			t.Fatal(err)
		}
		second, err := p.volume().fence(t.Context(), n, false) // in the place of the first
		if err != nil || second.ID == first.ID {
			t.Fatal(err)
		}
		cfg := lockmgr.Config{ID: "N"}
		if err := v.bindTo(t.Context(), n, cfg, first); err == nil || !strings.Contains(err.Error(), "somebody else changed") {
			t.Errorf("by a fence that is not there: %v", err)
		}
		if err := v.lift(t.Context(), first); err != nil || !strings.Contains(p.config(), second.ID) {
			t.Errorf("lifted the fence of another: %v, %s", err, p.config())
		}
		kept := false
		p.f.Hook(func(op, key string, _ int) faultstore.Fault {
			if op == "Put" && !kept {
				kept = true
				p.b.PutForeign(store.BucketConfigKey, strings.Replace(p.config(), `"format"`, `"theirs": 1, "format"`, 1))
			}
			return faultstore.Fault{}
		})
		if err := v.bindTo(t.Context(), n, cfg, second); err != nil || !strings.Contains(p.config(), "theirs") || strings.Contains(p.config(), "rebind") {
			t.Errorf("bound: %v, %s", err, p.config())
		}
		if boundTable(*v.Bond) != n || v.Bond.Lock.TableID != "N" || v.Bond.ID != "i" {
			t.Errorf("the bond is %+v", v.Bond)
		}
		if _, err := p.volume().fence(t.Context(), n, false); err != nil {
			t.Error(err)
		}
		p.b.PutForeign(store.BucketConfigKey, otherTable)
		if _, err := v.fence(t.Context(), n, false); err == nil || !strings.Contains(err.Error(), "somebody else changed") {
			t.Errorf("another bond: %v", err)
		}
	})
}

// A session that beats is in use. One that is silent for the lease is declared dead, so that it cannot come
// back; a closed one is nothing.
func TestEndSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, v := newBound(t)
		srv := memtable.NewServer()
		table := srv.Table()
		cfg, _, err := table.Init(t.Context(), lockmgr.Config{Timing: lockmgr.Timing{Beat: 3 * time.Second, Lease: 20 * time.Second, Delay: 30 * time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		for sid, state := range map[string]lockmgr.State{"a": lockmgr.Alive, "b": lockmgr.Closed} {
			if err := table.PutSession(t.Context(), lockmgr.Session{SID: sid, State: lockmgr.Alive, Host: "far", PID: 7}); err != nil {
				t.Fatal(err)
			}
			if state == lockmgr.Closed {
				table.CloseSession(t.Context(), sid)
			}
		}
		ends := func() (time.Duration, error) {
			began := time.Now()
			all, err := v.endSessions(t.Context(), table, cfg, InitOptions{Say: func(string, ...any) {}})
			if all != (err == nil) {
				t.Errorf("all seen is %t, and %v", all, err)
			}
			return time.Since(began), err
		}
		for after := 1500 * time.Millisecond; after < cfg.Lease; after += cfg.Beat {
			time.AfterFunc(after, func() { table.Beat(t.Context(), "a") })
			took, err := ends()
			if err == nil || !strings.Contains(err.Error(), "lock table s3:locks is in use by a mount on host far (pid 7)") || took > after+cfg.Beat {
				t.Errorf("a beat after %s: %v after %s", after, err, took)
			}
		}
		if took, err := ends(); err != nil || took != cfg.Lease {
			t.Errorf("silent: %v after %s", err, took)
		}
		if _, err := table.Beat(t.Context(), "a"); !errors.Is(err, lockmgr.ErrSessionDead) {
			t.Errorf("a beat after that: %v", err)
		}
		if took, err := ends(); err != nil || took != 0 {
			t.Errorf("nobody: %v after %s", err, took)
		}
		table.Partition(true)
		if _, err := ends(); err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("out of reach: %v", err)
		}
	})
}

// A clouded table has a session that cannot be read.
type clouded struct {
	*memtable.Table
	record lockmgr.Record
}

func (c clouded) Records(ctx context.Context, use func(lockmgr.Record) error) error {
	if err := use(c.record); err != nil {
		return err
	}
	return c.Table.Records(ctx, use)
}

// A session that is damaged, or in a state of a later version, may be of a mount that lives: nobody sees. That must
// not keep the bucket at its table for ever, so the fence stops all, and the others are watched all the same.
func TestSessionsThatCannotBeRead(t *testing.T) {
	for about, r := range map[string]lockmgr.Record{
		"damaged": {Session: &lockmgr.Session{SID: "x"}, Err: fmt.Errorf("x is damaged: %w", lockmgr.ErrForeignTable)},
		"newer":   {Session: &lockmgr.Session{SID: "x", State: "draining"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, v := newBound(t)
			table := clouded{memtable.NewServer().Table(), r}
			cfg, _, err := table.Init(t.Context(), lockmgr.Config{Timing: lockmgr.Timing{Beat: 3 * time.Second, Lease: 20 * time.Second, Delay: 30 * time.Second}})
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			o := InitOptions{Say: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }}
			if all, err := v.endSessions(t.Context(), table, cfg, o); all || err != nil || len(said) != 1 || !strings.Contains(said[0], `session "x" in s3:locks cannot be read`) {
				t.Errorf("%s: %t, %v, %q", about, all, err, said)
			}
			if err := table.PutSession(t.Context(), lockmgr.Session{SID: "a", State: lockmgr.Alive, Host: "far", PID: 7}); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(5*time.Second, func() { table.Beat(t.Context(), "a") })
			if _, err := v.endSessions(t.Context(), table, cfg, o); err == nil || !strings.Contains(err.Error(), "in use by a mount on host far") {
				t.Errorf("%s, beside one that lives: %v", about, err)
			}

			f, err := v.fence(t.Context(), TableName{BackendS3, "other"}, false)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Bound(t.Context(), false); err != nil {
				t.Errorf("who locks already, before: %v", err)
			}
			if err := v.fenceBlind(t.Context(), f); err != nil || !errors.Is(v.Bound(t.Context(), false), lockmgr.ErrUnbound) {
				t.Errorf("who locks already, after: %v, %s", err, p.config())
			}
			if err := v.lift(t.Context(), f); err != nil || v.CheckBond() != nil {
				t.Errorf("lifted: %v, %v", err, v.CheckBond())
			}
			if err := v.fenceBlind(t.Context(), f); err == nil || strings.Contains(p.config(), "rebind") {
				t.Errorf("a fence that is gone: %v, %s", err, p.config())
			}
		})
	}
}
