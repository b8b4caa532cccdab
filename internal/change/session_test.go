package change

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// A world is a bucket and a lock table that several sessions share.
type world struct {
	*testing.T
	mem   *memstore.Bucket
	net   *faultstore.Store
	locks *memtable.Server
	began time.Time
	n     int
	left  int // locks at the end
}

var timing = lockmgr.Timing{Beat: 3 * time.Second, Lease: 20 * time.Second, Delay: 30 * time.Second}

// bubble runs a test in a world of its own.
func bubble(t *testing.T, o memstore.Options, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New(o)
		w := &world{T: t, mem: mem, net: faultstore.New(mem), locks: memtable.NewServer(), began: time.Now()}
		f(w)
		w.net.Wait()
		if n := w.locks.Locks(); n != w.left {
			t.Errorf("%d locks are held at the end, not %d", n, w.left)
		}
	})
}

// session makes a session that waits 10 s for a name.
func (w *world) session() *Session {
	w.n++
	host := fmt.Sprintf("host%d", w.n)
	m := lockmgr.New(w.locks.Table(), lockmgr.Config{Schema: 1, Timing: timing, ID: "t"}, lockmgr.Options{
		BucketID: "b", Name: host, Host: host, User: "u", PID: 7, Now: func() time.Duration { return time.Since(w.began) }})
	c := store.New(w.net, store.Options{Host: host, Timing: store.Timing{Quiet: timing.Delay, Stall: timing.Stall()}})
	return New(c, m, "", 80*time.Second, Options{Host: host, LockTimeout: 10 * time.Second})
}

// close ends a session that has nothing left.
func (w *world) close(s *Session) {
	w.Helper()
	if err := s.Close(); err != nil {
		w.Errorf("close: %v", err)
	}
}

// copy makes the oldest version of a key the current one under another or the same name.
func (w *world) copy(ctx context.Context, s *Session, from, to string) error {
	old := w.mem.History(from)[0].Info
	return s.Locked(ctx, to, func(l *file.Locked) error {
		_, err := l.Copy(old, store.Audit{})
		return err
	})
}

// content is what is under a key; "-" is nothing.
func (w *world) content(key string) string {
	if text, ok := w.mem.Content(key); ok {
		return text
	}
	return "-"
}

func (w *world) want(key, text string) {
	w.Helper()
	if got := w.content(key); got != text {
		w.Errorf("%s is %q, want %q", key, got, text)
	}
}

var versioned = memstore.Options{Versioned: true}

// SEMANTICS G4: who has a file on another host is waited for; then the holder is named.
func TestWaitsForOthers(t *testing.T) {
	bubble(t, versioned, func(w *world) {
		w.mem.PutForeign("f", "old")
		w.mem.PutForeign("f", "new")
		one, two := w.session(), w.session()
		began := time.Now()
		err := two.Locked(w.Context(), "f", func(*file.Locked) error {
			err := w.copy(w.Context(), one, "f", "f")
			held, is := errors.AsType[*lockmgr.HeldError](err)
			if !is || held.Host != "host2" || held.User != "u" || held.PID != 7 || time.Since(began) < 10*time.Second {
				w.Errorf("after %v: %v", time.Since(began), err)
			}
			w.want("f", "new")
			return nil
		})
		if err != nil {
			w.Error(err)
		}
		if err := w.copy(w.Context(), one, "f", "f"); err != nil {
			w.Error(err)
		}
		w.want("f", "old")
		w.close(one)
		w.close(two)
	})
}

// SEMANTICS G1: what a foreign writer puts between the look and the request stays.
func TestSomebodyIsFaster(t *testing.T) {
	for _, change := range []struct {
		op string
		do func(l *file.Locked, old store.Version) error
	}{
		{"Copy", func(l *file.Locked, old store.Version) error {
			_, err := l.Copy(old.Info, store.Audit{})
			return err
		}},
		{"Delete", func(l *file.Locked, _ store.Version) error { return l.Remove() }},
	} {
		bubble(t, versioned, func(w *world) {
			w.mem.PutForeign("f", "old")
			w.mem.PutForeign("f", "new")
			w.net.Hook(func(op, _ string, _ int) faultstore.Fault {
				if op == change.op {
					w.mem.PutForeign("f", "theirs")
				}
				return faultstore.Fault{}
			})
			s := w.session()
			err := s.Locked(w.Context(), "f", func(l *file.Locked) error { return change.do(l, w.mem.History("f")[0]) })
			if !errors.Is(err, store.ErrConflict) {
				w.Errorf("%s: %v", change.op, err)
			}
			w.want("f", "theirs")
			w.close(s)
		})
	}
}

// LOCKS P4: an answer that got lost is looked up, and the change is made once.
func TestLostReply(t *testing.T) {
	for _, op := range []string{"Copy", "Delete", "DeleteVersion"} {
		bubble(t, versioned, func(w *world) {
			w.mem.PutForeign("f", "old")
			version := w.mem.History("f")[0].Info.VersionID
			want := map[string]int{"Copy": 2, "Delete": 2, "DeleteVersion": 1}[op]
			if op == "DeleteVersion" {
				w.mem.DeleteForeign("f")
			}
			rule := w.net.On(op).Nth(1).LoseReply()
			s := w.session()
			err := s.Locked(w.Context(), "f", func(l *file.Locked) error {
				switch op {
				case "Delete":
					return l.Remove()
				case "DeleteVersion":
					_, err := l.Undelete([]string{w.mem.History("f")[1].Info.VersionID}, version)
					return err
				}
				_, err := l.Copy(l.Found(), store.Audit{})
				return err
			})
			if n := len(w.mem.History("f")); err != nil || n != want || rule.Fired() != 1 {
				w.Errorf("%s: %v, %d versions", op, err, n)
			}
			w.close(s)
		})
	}
}

// An interrupt ends the wait for a name, and keeps what was not sent from being sent.
func TestInterrupted(t *testing.T) {
	errStop := errors.New("interrupted")
	bubble(t, versioned, func(w *world) {
		w.mem.PutForeign("f", "old")
		w.mem.PutForeign("f", "new")
		one, two := w.session(), w.session()
		err := two.Locked(w.Context(), "f", func(*file.Locked) error {
			ctx, stop := context.WithCancelCause(w.Context())
			time.AfterFunc(time.Second, func() { stop(errStop) })
			began := time.Now()
			if err := w.copy(ctx, one, "f", "f"); !errors.Is(err, errStop) || time.Since(began) != time.Second {
				w.Errorf("after %v: %v", time.Since(began), err)
			}
			return nil
		})
		if err != nil {
			w.Error(err)
		}
		// What is sent at that moment is settled all the same, and nothing is sent again.
		for _, at := range []struct {
			op    string
			fault faultstore.Fault
			want  string
		}{
			{"Head", faultstore.Fault{}, "new"},
			{"Copy", faultstore.Fault{}, "old"},
			{"Copy", faultstore.Fault{LoseReply: true}, "old"},
			{"Copy", faultstore.Fault{Err: &store.AttemptError{Fate: store.Unsent, Err: errors.New("busy")}}, "new"},
		} {
			ctx, stop := context.WithCancelCause(w.Context())
			w.net.Hook(func(op, _ string, _ int) faultstore.Fault {
				if op != at.op || ctx.Err() != nil {
					return faultstore.Fault{}
				}
				stop(errStop)
				synctest.Wait()
				return at.fault
			})
			err := w.copy(ctx, one, "f", "f")
			if errors.Is(err, errStop) != (at.want == "new") || at.want == "old" && err != nil {
				w.Errorf("interrupted at %s: %v", at.op, err)
			}
			w.net.Hook(nil)
			w.want("f", at.want)
			w.mem.PutForeign("f", "new")
		}
		w.close(one)
		w.close(two)
	})
}

// LOCKS P4: while the outcome is unknown nobody else gets the name; nothing lands after others had it.
func TestUnknownOutcome(t *testing.T) {
	for name, end := range map[string]func(s *Session){
		"abandoned":          func(s *Session) { time.AfterFunc(15*time.Second, s.Abandon) },
		"the bucket is away": func(*Session) {},
	} {
		bubble(t, versioned, func(w *world) {
			w.mem.PutForeign("f", "old")
			w.mem.PutForeign("f", "new")
			w.net.On("Copy").Nth(1).Late(29 * time.Second)
			w.net.Hook(func(op, _ string, n int) faultstore.Fault { return faultstore.Fault{Hang: op == "Head" && n > 1} })
			s := w.session()
			began := time.Now()
			end(s)
			err := w.copy(w.Context(), s, "f", "f")
			if !errors.Is(err, store.ErrUnknownOutcome) || time.Since(began) > 3*time.Minute {
				w.Errorf("%s: after %v: %v", name, time.Since(began), err)
			}
			if err := s.Close(); err == nil {
				w.Errorf("%s: closed", name)
			}
			w.net.Heal()
			two := w.session()
			two.Locked(w.Context(), "f", func(*file.Locked) error {
				if name != "the bucket is away" {
					w.Errorf("%s: the lock was had after %v", name, time.Since(began))
				}
				return nil
			})
			time.Sleep(s.Silence())
			if err := two.Locked(w.Context(), "f", func(l *file.Locked) error {
				before := w.content("f")
				time.Sleep(time.Hour)
				w.want("f", before)
				return nil
			}); err != nil {
				w.Errorf("%s: %v", name, err)
			}
			w.close(two)
		})
	}
}

// LOCKS P2, a name and its directory: a name that is made in a directory without any key is looked at
// once more at every level.
func TestDirectoriesThatAreMade(t *testing.T) {
	for _, level := range []string{"a", "a/b", "a/b/c"} {
		for _, op := range []string{"List", "Copy"} {
			bubble(t, versioned, func(w *world) {
				w.mem.PutForeign("old", "old")
				one, two := w.session(), w.session()
				var other error
				var once atomic.Bool
				w.net.Hook(func(o, key string, _ int) faultstore.Fault {
					if o == op && !once.Swap(true) {
						other = w.copy(w.Context(), two, "old", level) // a file of the directory's name
					}
					return faultstore.Fault{}
				})
				err := w.copy(w.Context(), one, "old", "a/b/c/d")
				w.net.Hook(nil)
				file, made := w.content(level) != "-", w.content("a/b/c/d") != "-"
				if file == made || file != (other == nil) || made != (err == nil) {
					w.Errorf("%s at %s: %v, %v, %v", level, op, err, other, w.mem.Keys())
				}
				w.close(one)
				w.close(two)
			})
		}
	}
}

// A directory in which something is made meanwhile stays.
func TestRemovesEmptyDirectories(t *testing.T) {
	bubble(t, versioned, func(w *world) {
		w.mem.PutForeign("d/", "")
		s := w.session()
		remove := func() error {
			return s.Locked(w.Context(), "d/", func(l *file.Locked) error { return l.Remove() })
		}
		w.mem.PutForeign("d/f", "x")
		if err := remove(); !errors.Is(err, file.ErrNotEmpty) {
			w.Error(err)
		}
		w.mem.DeleteForeign("d/f")
		w.net.Hook(func(op, _ string, _ int) faultstore.Fault {
			if op == "Delete" {
				w.mem.PutForeign("d/f", "x")
			}
			return faultstore.Fault{}
		})
		if err := remove(); !errors.Is(err, file.ErrNotEmpty) || !slices.Contains(w.mem.Keys(), "d/") {
			w.Errorf("%v, %v", err, w.mem.Keys())
		}
		w.net.Hook(nil)
		w.mem.DeleteForeign("d/f")
		if err := remove(); err != nil || len(w.mem.Keys()) > 0 {
			w.Errorf("%v, %v", err, w.mem.Keys())
		}
		w.close(s)
	})
}

// A marker without an id of its own could be somebody's new object by the time it is removed.
func TestUndeleteRefusesNull(t *testing.T) {
	bubble(t, versioned, func(w *world) {
		w.mem.PutForeign("f", "old")
		version := w.mem.History("f")[0].Info.VersionID
		w.mem.Suspend()
		w.mem.DeleteForeign("f")
		s := w.session()
		err := s.Locked(w.Context(), "f", func(l *file.Locked) error {
			_, err := l.Undelete([]string{"null"}, version)
			return err
		})
		if !errors.Is(err, store.ErrRefused) || w.mem.Count("DeleteVersion") != 0 {
			w.Error(err)
		}
		w.close(s)
	})
}

func TestEach(t *testing.T) {
	bubble(t, versioned, func(w *world) {
		ctx, stop := context.WithCancel(w.Context())
		var now, most, all atomic.Int64
		Each(ctx, make([]struct{}, 1000), func(struct{}) {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			now.Add(-1)
			if all.Add(1) == 640 {
				stop()
			}
		})
		if most.Load() != 64 || all.Load() < 640 || all.Load() >= 704 || now.Load() != 0 {
			w.Errorf("%d at a time, %d of 640", most.Load(), all.Load())
		}
	})
}
