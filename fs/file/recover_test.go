package file

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// died ends a host whose bucket hangs, as kill -9 would, and lets its leases go.
func (h *host) died() {
	h.t.Helper()
	h.stop()
	h.b.net.Heal()
	h.locks.mu.Lock()
	defer h.locks.mu.Unlock()
	for _, l := range h.locks.held {
		h.locks.free(l)
	}
}

// LOCKS P6, SEMANTICS G5: what each kind of death leaves, and what becomes of it.
func TestRecovery(t *testing.T) {
	for _, c := range []struct {
		name string
		// leave lets the host die with something in its spool.
		leave func(h *host)
		// between happens before the recovery.
		between func(b *bucket)
		want    map[string]string // content by key; * stands for host, time and id
	}{
		{"unsealed data", func(h *host) {
			h.b.put("a", "0123456789")
			h.write(h.open("a", "r+"), "ABC", 2)
		}, nil, map[string]string{"a": "0123456789", "a.recovered-*": "01ABC56789"}},
		{"unsealed data of a new file", func(h *host) {
			h.write(h.open("a", "c"), "new", 0)
		}, nil, map[string]string{"a.recovered-*": "new"}},
		{"a new file without a byte", func(h *host) {
			h.open("a", "c")
		}, nil, map[string]string{}},
		{"sealed data, the request never landed", func(h *host) {
			x := h.open("a", "c")
			h.write(x, "sealed", 0)
			h.b.hang(false)
			if err := h.close(x); !errors.Is(err, ErrUnsaved) {
				h.t.Errorf("close: %v", err)
			}
		}, nil, map[string]string{"a": "sealed"}},
		{"sealed data, the request landed and its answer was lost", func(h *host) {
			x := h.open("a", "c")
			h.write(x, "sealed", 0)
			h.b.hang(true)
			h.close(x)
		}, nil, map[string]string{"a": "sealed"}},
		{"sealed data, landed, and somebody wrote again", func(h *host) {
			x := h.open("a", "c")
			h.write(x, "sealed", 0)
			h.b.hang(true)
			h.close(x)
		}, func(b *bucket) { b.put("a", "theirs") }, map[string]string{"a": "theirs"}},
		{"sealed data, somebody else wrote", func(h *host) {
			h.b.put("a", "0123456789")
			x := h.open("a", "r+")
			h.write(x, "ABC", 2)
			h.b.hang(false)
			h.close(x)
		}, func(b *bucket) { b.put("a", "theirs") }, map[string]string{"a": "theirs", "a.conflict-*": "01ABC56789"}},
		{"sealed data and a newer tail", func(h *host) {
			x, y := h.open("a", "c"), (*Handle)(nil)
			h.write(x, "sealed", 0)
			y = h.open("a", "r+")
			h.b.hang(false)
			h.close(x)
			h.write(y, "SEA", 0)
		}, nil, map[string]string{"a": "sealed", "a.recovered-*": "SEAled"}},
		{"a tail after a commit", func(h *host) {
			x := h.open("a", "c")
			h.write(x, "0123456789", 0)
			if err := x.Sync(context.Background()); err != nil {
				h.t.Fatal(err)
			}
			h.write(x, "A", 5)
		}, nil, map[string]string{"a": "0123456789", "a.recovered-*": "01234A6789"}},
		{"everything committed", func(h *host) {
			x := h.open("a", "c")
			h.write(x, "text", 0)
			if err := x.Sync(context.Background()); err != nil {
				h.t.Fatal(err)
			}
		}, nil, map[string]string{"a": "text"}},
		{"unlink that landed", func(h *host) {
			h.b.put("a", "base")
			h.write(h.open("a", "r+"), "B", 0)
			h.b.hang(true)
			h.Unlink(context.Background(), "a", nil)
		}, nil, map[string]string{}},
		{"unlink that did not land", func(h *host) {
			h.b.put("a", "base")
			h.write(h.open("a", "r+"), "B", 0)
			h.b.hang(false)
			h.Unlink(context.Background(), "a", nil)
		}, nil, map[string]string{"a": "base", "a.recovered-*": "Base"}},
		{"unlink of sealed data that did not land", func(h *host) {
			h.b.put("a", "base")
			x := h.open("a", "r+")
			h.write(x, "B", 0)
			h.b.net.On("Get").Fail(store.Unsent, errDial) // the rest of the base cannot be read
			if err := x.Sync(context.Background()); !errors.Is(err, store.ErrUnavailable) {
				h.t.Errorf("fsync: %v", err)
			}
			h.b.hang(false)
			if err := h.Unlink(context.Background(), "a", nil); !errors.Is(err, store.ErrUnknownOutcome) {
				h.t.Errorf("unlink: %v", err)
			}
		}, nil, map[string]string{"a": "base", "a.recovered-*": "Base"}},
		{"unlink that was refused, and sealed data", func(h *host) {
			h.b.put("a", "base")
			x := h.open("a", "r+")
			h.write(x, "B", 0)
			h.b.refuse()
			if err := h.Unlink(context.Background(), "a", nil); !errors.Is(err, store.ErrAccessDenied) {
				h.t.Errorf("unlink: %v", err)
			}
			h.b.hang(false)
			h.close(x)
		}, nil, map[string]string{"a": "Base"}},
		{"a sealed change of metadata", func(h *host) {
			h.b.put("a", "base")
			h.b.hang(false)
			mode := uint32(0o600)
			h.SetAttr(context.Background(), "a", Change{Mode: &mode})
		}, nil, map[string]string{"a": "base"}},
		{"a sealed change of metadata, somebody else wrote", func(h *host) {
			h.b.put("a", "base")
			h.b.hang(false)
			mode := uint32(0o600)
			h.SetAttr(context.Background(), "a", Change{Mode: &mode})
		}, func(b *bucket) { b.put("a", "theirs") }, map[string]string{"a": "theirs"}},
		{"renamed while dirty", func(h *host) {
			x := h.open("a", "c")
			h.write(x, "one", 0)
			if err := h.Rename(context.Background(), "a", "b", false, nil); err != nil {
				h.t.Fatal(err)
			}
			h.write(x, "two", 0)
		}, nil, map[string]string{"b": "one", "b.recovered-*": "two"}},
		{"a conflict whose file could not be saved", func(h *host) {
			h.b.put("a", "base")
			x := h.open("a", "r+")
			h.write(x, "ours", 0)
			h.b.put("a", "theirs")
			h.b.net.On("Put").Key("*.conflict-*").Hang()
			h.close(x)
		}, nil, map[string]string{"a": "theirs", "a.conflict-*": "ours"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, newBucket(), newLockTable())
				c.leave(h)
				h.died()
				if c.between != nil {
					c.between(h.b)
				}
				n := newHost(t, h.b, h.locks)
				defer n.stop()
				if left := n.recover(h); len(left) != 0 {
					t.Errorf("left: %+v", left)
				}
				got := map[string]string{}
				for _, key := range h.b.like("") {
					name := key
					for _, kind := range []string{".recovered-", ".conflict-"} {
						if i := strings.Index(key, kind); i >= 0 {
							name = key[:i] + kind + "*"
						}
					}
					got[name] = h.b.get(key)
				}
				if len(got) != len(c.want) {
					t.Errorf("bucket has %v, want %v", got, c.want)
				}
				for key, text := range c.want {
					if got[key] != text {
						t.Errorf("%s is %q, want %q", key, got[key], text)
					}
				}
				versions := h.b.versions("a")
				n.recover(h)
				if h.b.versions("a") != versions || len(h.b.like("")) != len(c.want) {
					t.Error("a second recovery did something")
				}
				if h.locks.holds("a") {
					t.Error("a lease is left")
				}
			})
		})
	}
}

// The lock of a key with an unanswered request is not free at once, the others are.
func TestRecoveryUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		h.write(h.open("open", "c"), "x", 0)
		x := h.open("sent", "c")
		h.write(x, "x", 0)
		h.b.hang(false)
		h.close(x)
		h.b.put("gone", "x")
		h.Unlink(context.Background(), "gone", nil)
		h.died()
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		r, err := n.Recovery(h.dir)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for key, want := range map[string]bool{"open": false, "sent": true, "gone": true, "other": false} {
			if r.Unanswered(key) != want {
				t.Errorf("%s: unanswered is %v", key, !want)
			}
		}
	})
}

// What a recovery sends is journalled as any commit is, so that whoever recovers the
// recovery waits for it; and a lease under which an answer is missing is not given back.
func TestRecoveryThatEndsUnanswered(t *testing.T) {
	for _, what := range []string{"sealed bytes", "attributes"} {
		t.Run(what, func(t *testing.T) { recoveryThatEndsUnanswered(t, what) })
	}
}

func recoveryThatEndsUnanswered(t *testing.T, what string) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		if what == "attributes" {
			h.b.put("a", "base")
			mode := uint32(0o600)
			if _, err := h.open("a", "r+").SetAttr(t.Context(), Change{Mode: &mode}); err != nil {
				t.Fatal(err)
			}
		} else {
			x := h.open("a", "c")
			h.write(x, "sealed", 0)
			h.b.net.On("Put").Fail(store.Unsent, errDial)
			h.close(x)
		}
		h.died()
		n := newHost(t, h.b, h.locks)
		r, err := n.Recovery(h.dir)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		n.b.hang(false)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		left, err := r.Run(ctx)
		if !errors.Is(err, store.ErrUnknownOutcome) || len(left) != 1 || !left[0].Unanswered {
			t.Errorf("left %+v, %v", left, err)
		}
		if !h.locks.holds("a") {
			t.Error("the lease was given back while the request may still land")
		}
		if left, _ := n.Shutdown(context.Background()); len(left) != 1 || !left[0].Unanswered {
			t.Errorf("the table that recovers does not know of it: %+v", left)
		}
		again, err := newHost(t, h.b, h.locks).Recovery(n.dir)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if !again.Unanswered("a") {
			t.Error("the journal of the recovery does not tell of its request")
		}
	})
}

// A request that was sent without a lease leaves no lock that would keep the recovery from
// looking too early.
func TestRecoveryWaitsForAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		x := h.open("sent", "c")
		h.write(x, "text", 0)
		h.b.hang(false)
		h.close(x)
		h.write(h.open("open", "c"), "x", 0)
		h.died()
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		n.o.Quiet = 30 * time.Second
		began := time.Now()
		time.AfterFunc(29*time.Second, func() { h.b.put("sent", "landed at last") })
		n.recover(h)
		if d := time.Since(began); d != n.o.Quiet {
			t.Errorf("the recovery took %v", d)
		}
		if kept := h.b.like("sent.conflict-"); h.b.get("sent") != "landed at last" || len(kept) != 1 {
			t.Errorf("the name has %q, kept %v", h.b.get("sent"), kept)
		}
	})
}

// What a process here has open for write is not changed by a recovery, which waits: a commit
// under its base would make its own fail.
func TestRecoveryWaitsForWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "dead", 0)
		h.b.net.On("Put").Fail(store.Unsent, errDial)
		h.close(x)
		h.died()
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		y := n.open("a", "r+")
		recovered := make(chan []Left)
		go func() { recovered <- n.recover(h) }()
		time.Sleep(10 * time.Second)
		n.write(y, "ours", 0)
		if err := n.close(y); err != nil || n.b.get("a") != "ours" {
			t.Errorf("close: %v, a is %q", err, n.b.get("a"))
		}
		left := <-recovered
		if kept := h.b.like("a.conflict-"); len(left) != 0 || len(kept) != 1 || h.b.get(kept[0]) != "dead" || h.b.get("a") != "ours" {
			t.Errorf("left %+v, kept %v, a is %q", left, kept, h.b.get("a"))
		}
	})
}

// On a bucket without versions somebody may replace the base before the recovery has read it
// for the upload: a conflict like any other.
func TestRecoveryWhoseBaseIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, bucketOf(memstore.Options{}), newLockTable())
		h.b.put("a", "0123456789")
		x := h.open("a", "r+")
		h.write(x, "ABC", 2)
		h.b.net.On("Get").Fail(store.Unsent, errDial)
		h.close(x)
		h.died()
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		n.b.once("Get", "a", func() { n.b.put("a", "theirs") })
		if left := n.recover(h); len(left) != 0 {
			t.Errorf("left %+v", left)
		}
		kept := h.b.like("a.conflict-")
		if len(kept) != 2 || h.b.get(kept[0]) != "\x00\x00ABC\x00\x00\x00\x00\x00" || h.b.get("a") != "theirs" {
			t.Errorf("kept %q, a is %q", kept, h.b.get("a"))
		}
	})
}

// A file that was made and removed here, and is still open, leaves nothing behind.
func TestRecoveryOfUnlinkedUnsaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		x, y := h.open("before", "c"), h.open("after", "c")
		h.write(x, "scratch", 0)
		for _, key := range []string{"before", "after"} {
			if err := h.Unlink(context.Background(), key, nil); err != nil {
				t.Fatal(err)
			}
		}
		h.write(y, "scratch", 0)
		h.died()
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		if left := n.recover(h); len(left) != 0 || len(h.b.like("")) != 0 {
			t.Errorf("left %+v, bucket %v", left, h.b.like(""))
		}
	})
}
