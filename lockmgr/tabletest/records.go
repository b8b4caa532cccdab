package tabletest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/latchfs/latchfs/lockmgr"
)

// testRecords: whoever cleans up sees what is there, and removes nothing that has changed since;
// nothing at all where the server is not trusted with that.
func testRecords(t *testing.T, open func() lockmgr.Table) {
	ctx := t.Context()
	a, b := open(), open()
	sweeper := b.(lockmgr.Records)
	sid := func(i int) string { return fmt.Sprint(t.Name(), "-", i) }
	const sessions = 4 // closed, dead, alive, closed while it is looked at
	for i := range sessions {
		if err := a.PutSession(ctx, lockmgr.Session{SID: sid(i), Host: "h"}); err != nil {
			t.Fatal(err)
		}
		l := lock(t, fmt.Sprint(i), fmt.Sprint("n", i))
		l.SID = sid(i)
		if _, err := a.AcquireLock(ctx, l); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.SendMail(ctx, sid(0), "wanted"); err != nil {
		t.Fatal(err)
	}
	if err := a.CloseSession(ctx, sid(0)); err != nil {
		t.Fatal(err)
	}
	seen, err := a.GetSession(ctx, sid(1))
	if err == nil {
		_, err = a.KillSession(ctx, seen)
	}
	if err != nil {
		t.Fatal(err)
	}
	found, locks := found(t, sweeper)
	for i, want := range []lockmgr.State{lockmgr.Closed, lockmgr.Dead, lockmgr.Alive, lockmgr.Alive} {
		s, ok := found[sid(i)]
		if !ok || s.Session.State != want || s.Session.Host != "h" {
			t.Fatalf("session %d: %+v, want it %s", i, s.Session, want)
		}
		if l, ok := locks[sid(i)]; !ok || l.Lock.Name != t.Name()+"\x00"+fmt.Sprint(i) || l.Lock.Nonce != fmt.Sprint("n", i) {
			t.Fatalf("lock of session %d: %+v", i, l.Lock)
		}
	}
	// What changes between the look and the removal stays.
	if err := a.CloseSession(ctx, sid(3)); err != nil {
		t.Fatal(err)
	}
	thief := lock(t, "3", "thief")
	if _, err := a.StealLock(ctx, thief, "n3"); err != nil {
		t.Fatal(err)
	}
	removes := sweeper.Removable() == nil
	for i := range sessions {
		want := i < 3
		for _, r := range []lockmgr.Record{locks[sid(i)], found[sid(i)]} {
			got, err := sweeper.Remove(ctx, r)
			if !removes && errors.Is(err, lockmgr.ErrNoRemoval) {
				continue
			}
			if err != nil || got != want {
				t.Errorf("removing %+v of session %d: %v, %v; want %v", r, i, got, err, want)
			}
		}
	}
	for i := range sessions {
		s, err := a.GetSession(ctx, sid(i))
		if want := removes && i < 3; err != nil || (s.State == lockmgr.Missing) != want {
			t.Errorf("session %d is %q, %v", i, s.State, err)
		}
		l, err := open().GetLock(ctx, t.Name()+"\x00"+fmt.Sprint(i))
		if want := removes && i < 3; err != nil || (l.Nonce == "") != want {
			t.Errorf("lock %d: %+v, %v", i, l, err)
		}
	}
}

// found gives the sessions with these ids, and the locks by session.
func found(t *testing.T, from lockmgr.Records) (sessions, locks map[string]lockmgr.Record) {
	t.Helper()
	sessions, locks = map[string]lockmgr.Record{}, map[string]lockmgr.Record{}
	err := from.Records(t.Context(), func(r lockmgr.Record) error {
		if r.Lock != nil {
			locks[r.Lock.SID] = r
		} else {
			sessions[r.Session.SID] = r
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sessions, locks
}
