package tabletest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
)

// lock is a wish for a lock of this test's own.
func lock(t *testing.T, key, nonce string) lockmgr.Lock {
	return lockmgr.Lock{Name: t.Name() + "\x00" + key, SID: "s-" + nonce, Nonce: nonce, Host: "h-" + nonce,
		Since: time.Date(2026, 11, 24, 12, 0, 0, 5e6, time.UTC)}
}

// holds checks what the table says of a lock, and that the verb that led to it said so too.
func holds(t *testing.T, tab lockmgr.Table, got lockmgr.Lock, err error, want lockmgr.Lock) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("answer = %+v, want %+v", got, want)
	}
	read, err := tab.GetLock(t.Context(), want.Name)
	if err != nil || read != want {
		t.Errorf("lock = %+v, %v, want %+v", read, err, want)
	}
}

func free(t *testing.T, tab lockmgr.Table, name string) {
	t.Helper()
	if l, err := tab.GetLock(t.Context(), name); err != nil || l != (lockmgr.Lock{}) {
		t.Errorf("lock = %+v, %v, want it free", l, err)
	}
}

func release(t *testing.T, tab lockmgr.Table, l lockmgr.Lock) {
	t.Helper()
	if err := tab.ReleaseLock(t.Context(), l.Name, l.Nonce); err != nil {
		t.Fatal(err)
	}
}

func testLock(t *testing.T, open func() lockmgr.Table) {
	ctx := t.Context()
	a, b := open(), open()
	la, lb := lock(t, "k", "na"), lock(t, "k", "nb")
	free(t, a, la.Name)
	release(t, a, la)
	free(t, a, la.Name)
	for range 2 { // the second: its reply was lost
		got, err := a.AcquireLock(ctx, la)
		holds(t, b, got, err, la)
	}
	got, err := b.AcquireLock(ctx, lb)
	holds(t, a, got, err, la)
	release(t, b, lb)
	got, err = b.GetLock(ctx, la.Name)
	holds(t, a, got, err, la)
	for range 2 {
		release(t, a, la)
		free(t, b, la.Name)
	}
	got, err = b.AcquireLock(ctx, lb)
	holds(t, a, got, err, lb)
	release(t, a, la) // late
	got, err = a.AcquireLock(ctx, la)
	holds(t, b, got, err, lb)
	release(t, b, lb)
}

func testSteal(t *testing.T, open func() lockmgr.Table) {
	ctx := t.Context()
	a, b := open(), open()
	la, lb, lc := lock(t, "k", "na"), lock(t, "k", "nb"), lock(t, "k", "nc")
	if got, err := b.StealLock(ctx, lb, "na"); err != nil || got != (lockmgr.Lock{}) {
		t.Errorf("steal of a free lock = %+v, %v", got, err)
	}
	free(t, a, la.Name)
	if _, err := a.AcquireLock(ctx, la); err != nil {
		t.Fatal(err)
	}
	got, err := b.StealLock(ctx, lb, "another")
	holds(t, b, got, err, la)
	for range 2 {
		got, err = b.StealLock(ctx, lb, la.Nonce)
		holds(t, a, got, err, lb)
	}
	got, err = a.StealLock(ctx, lc, la.Nonce) // late, against a holder that is no more
	holds(t, a, got, err, lb)
	release(t, a, la)
	got, err = a.GetLock(ctx, la.Name)
	holds(t, b, got, err, lb)
	release(t, b, lb)
}

// testLate: requests of an earlier acquisition that arrive again do no harm to a later one,
// even of the same session (LOCKS, variants L3, L5 and L6).
func testLate(t *testing.T, open func() lockmgr.Table) {
	ctx := t.Context()
	a, late := open(), open()
	first, second := lock(t, "k", "n1"), lock(t, "k", "n2")
	second.SID = first.SID
	if _, err := a.AcquireLock(ctx, first); err != nil {
		t.Fatal(err)
	}
	release(t, a, first)
	if _, err := a.AcquireLock(ctx, second); err != nil {
		t.Fatal(err)
	}
	release(t, late, first)
	got, err := late.AcquireLock(ctx, first)
	holds(t, a, got, err, second)
	got, err = late.StealLock(ctx, first, "n0")
	holds(t, a, got, err, second)
	release(t, a, second)
}

// testStale: what one connection remembers of a lock is overtaken by others.
func testStale(t *testing.T, open func() lockmgr.Table) {
	ctx := t.Context()
	a, b := open(), open()
	for i := range 4 {
		la, lb := lock(t, "k", fmt.Sprint("a", i)), lock(t, "k", fmt.Sprint("b", i))
		got, err := a.AcquireLock(ctx, la)
		holds(t, a, got, err, la)
		got, err = b.AcquireLock(ctx, lb)
		holds(t, b, got, err, la)
		release(t, a, la)
		got, err = b.AcquireLock(ctx, lb)
		holds(t, b, got, err, lb)
		got, err = a.AcquireLock(ctx, la)
		holds(t, a, got, err, lb)
		release(t, b, lb)
	}
}

func testRacers(t *testing.T, open func() lockmgr.Table) {
	const n = 16
	for round := range 3 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range n {
			tab := open()
			wg.Go(func() {
				l := lock(t, fmt.Sprint("r", round), fmt.Sprint("n", i))
				for range 5 {
					got, err := tab.AcquireLock(t.Context(), l)
					if err != nil {
						continue // lost too many races in a row, or the server is overrun: again
					}
					if got.Nonce == l.Nonce {
						mu.Lock()
						won++
						mu.Unlock()
					} else if got.Nonce == "" {
						t.Errorf("acquire found the lock free and left it so")
					}
					return
				}
				t.Error("five acquires in a row failed")
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d of %d racers obtained the lock", won, n)
		}
	}
}

func testNames(t *testing.T, open func() lockmgr.Table) {
	ctx := t.Context()
	a, b := open(), open()
	keys := []string{"a", "a/b", "a/", "a//b", "/", "..", "a b", "a\nb", "a\x01b", "L#", "S#x", "%00", "ä", "a\u0308", "日本", "🙂",
		"<&>\"'", "\u2028", strings.Repeat("k", 1024), strings.Repeat("é", 512)}
	for i, key := range keys {
		l := lock(t, key, fmt.Sprint("n", i))
		got, err := a.AcquireLock(ctx, l)
		holds(t, b, got, err, l)
	}
	for i, key := range keys {
		l := lock(t, key, fmt.Sprint("n", i))
		got, err := b.GetLock(ctx, l.Name)
		holds(t, b, got, err, l)
		release(t, a, l)
		free(t, b, l.Name)
	}
}

func testMail(t *testing.T, open func() lockmgr.Table) {
	ctx := t.Context()
	a, b := open(), open()
	sid := put(t, a, 1)
	send := func(name string) {
		t.Helper()
		if err := b.SendMail(ctx, sid, name); err != nil {
			t.Fatal(err)
		}
	}
	if got := beat(t, a, sid); len(got) != 0 {
		t.Errorf("mail of nobody: %q", got)
	}
	want := []string{"id\x00k", "id\x00ä/🙂", "id\x00" + strings.Repeat("x", 1024)}
	for _, name := range want {
		send(name)
	}
	send(want[0])
	got := beat(t, a, sid)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("mail = %q, want %q", got, want)
	}
	beat(t, a, sid) // may bring the same once more
	if got := beat(t, a, sid); len(got) != 0 {
		t.Errorf("mail came a third time: %q", got)
	}
	send(want[1])
	if got := beat(t, a, sid); !slices.Equal(got, want[1:2]) {
		t.Errorf("mail = %q, want %q", got, want[1:2])
	}
	if s := state(t, b, sid); s.State != lockmgr.Alive || s.Beat != 5 {
		t.Errorf("mail changed the session: %+v", s)
	}
	if err := a.CloseSession(ctx, sid); err != nil {
		t.Fatal(err)
	}
	send(want[0])
	if err := b.SendMail(ctx, "nobody.4", "id\x00k"); err != nil {
		t.Errorf("mail to nobody = %v", err)
	}
	if s := state(t, b, "nobody.4"); s.State != lockmgr.Missing {
		t.Errorf("mail to nobody made %+v", s)
	}
	dead(t, a, sid)
}
