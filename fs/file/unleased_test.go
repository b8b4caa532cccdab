package file

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// cutOff takes the lock table away from the host, and its lease of the key with it.
func (h *host) cutOff(key string) {
	h.locks.mu.Lock()
	h.locks.down = true
	h.locks.mu.Unlock()
	h.locks.lose(key)
}

func (h *host) healLocks() {
	h.locks.mu.Lock()
	defer h.locks.mu.Unlock()
	h.locks.down = false
}

// LOCKS P5, SEMANTICS G1: what another mount did while the lock table was out of reach is not
// overwritten with a 0, even if the ETag is the same again: metadata alone changed, the same
// bytes were put back, or the file was removed and made again.
func TestUnleasedAttemptSeesWhatTheETagDoesNot(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(b *bucket)
	}{
		{"metadata alone", func(b *bucket) { b.put("a", "base") }},
		{"A -> B -> A", func(b *bucket) { b.put("a", "theirs"); b.put("a", "base") }},
		{"removed and made again", func(b *bucket) { b.remove("a"); b.put("a", "base") }},
	} {
		for _, when := range []string{"before the look", "between look and attempt"} {
			t.Run(c.name+" "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHost(t, newBucket(), newLockTable())
					defer h.stop()
					h.b.put("a", "base")
					x := h.open("a", "r+")
					h.write(x, "ours", 0)
					h.cutOff("a")
					if when == "before the look" {
						c.change(h.b)
					} else {
						h.b.once("Put", "a", func() { c.change(h.b) })
					}
					err := h.close(x)
					var conflict *ConflictError
					if !errors.As(err, &conflict) {
						t.Fatalf("close: %v", err)
					}
					kept := h.b.like("a.conflict-")
					if when == "before the look" {
						if h.b.get("a") != "base" || len(kept) != 1 || h.b.get(kept[0]) != "ours" {
							t.Errorf("a is %q, kept %v", h.b.get("a"), kept)
						}
						return
					}
					if h.b.get("a") != "ours" || conflict.Over == "" || len(kept) != 0 || !strings.Contains(err.Error(), conflict.Over) {
						t.Errorf("a is %q, told %v, kept %v", h.b.get("a"), err, kept)
					}
					if err := x.Sync(context.Background()); err == nil {
						t.Error("the handle goes on as if nothing had happened")
					}
				})
			})
		}
	}
}

// What was written after the seal that overwrote somebody is kept too.
func TestUnleasedAttemptKeepsWhatCameLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.cutOff("a")
		h.b.once("Put", "a", func() {
			h.write(x, " and more", 4)
			h.b.put("a", "base")
		})
		var conflict *ConflictError
		if err := x.Sync(t.Context()); !errors.As(err, &conflict) || conflict.Over == "" {
			t.Fatalf("fsync: %v", err)
		}
		synctest.Wait()
		if kept := h.b.like("a.conflict-"); len(kept) != 1 || h.b.get(kept[0]) != "ours and more" {
			t.Errorf("kept %v", kept)
		}
	})
}

// LOCKS P5: without versioning there is no attempt; the data is kept, and committed when the
// table answers.
func TestNoUnleasedAttemptWithoutVersions(t *testing.T) {
	for _, how := range []string{"r+", "c"} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, bucketOf(memstore.Options{}), newLockTable())
			defer h.stop()
			if how != "c" {
				h.b.put("a", "base")
			}
			x := h.open("a", how)
			h.write(x, "ours", 0)
			h.cutOff("a")
			if err := h.close(x); !errors.Is(err, ErrUnsaved) || h.b.count("Put") != 0 {
				t.Errorf("close: %v, %d requests", err, h.b.count("Put"))
			}
			h.healLocks()
			time.Sleep(time.Minute)
			if h.b.get("a") != "ours" {
				t.Errorf("a is %q", h.b.get("a"))
			}
		})
	}
}

// LOCKS P5: a crash after the attempt, before the look below: the recovery looks, and does not
// take what was overwritten for our own base.
func TestRecoveryRepeatsTheLookBelow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		h.b.put("a", "base")
		x := h.open("a", "r+")
		h.write(x, "ours", 0)
		h.cutOff("a")
		h.b.before("Put", "a", func() faultstore.Fault {
			h.b.put("a", "base")
			return faultstore.Fault{LoseReply: true, Hang: true}
		})
		go h.close(x)
		synctest.Wait()
		h.died()
		h.healLocks()
		n := newHost(t, h.b, h.locks)
		defer n.stop()
		log := n.logged()
		if left := n.recover(h); len(left) != 0 {
			t.Errorf("left %+v", left)
		}
		if h.b.get("a") != "ours" || !strings.Contains(log.String(), "replaced a version of somebody else") {
			t.Errorf("a is %q, log %s", h.b.get("a"), log)
		}
	})
}

// LOCKS P5: a new file is not made without a lease: another host may be making a directory of
// its name, and no condition sees that. It is made when the table answers.
func TestNoUnleasedAttemptOfANewFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newBucket(), newLockTable())
		defer h.stop()
		h.b.put("a", "gone")
		h.b.remove("a")
		x := h.open("a", "c")
		h.write(x, "ours", 0)
		h.cutOff("a")
		if err := h.close(x); !errors.Is(err, ErrUnsaved) || h.b.count("Put") != 0 {
			t.Errorf("close: %v, %d requests", err, h.b.count("Put"))
		}
		h.healLocks()
		time.Sleep(time.Minute)
		if h.b.get("a") != "ours" {
			t.Errorf("a is %q", h.b.get("a"))
		}
	})
}

// LOCKS P5: an attempt without a lease brings an ETag that is new to the name. Whoever has the
// lease by now has seen the base, and his condition would not tell ours from it: he would undo it
// after we were told that it is saved. What brings no new ETag is kept until the table answers.
func TestUnleasedAttemptBringsANewETag(t *testing.T) {
	mode := uint32(0o600)
	for _, c := range []struct {
		name   string
		change func(h *host, x *Handle) error // the last thing before the close
	}{
		{"metadata alone", func(h *host, x *Handle) error {
			_, err := x.SetAttr(context.Background(), Change{Mode: &mode})
			return err
		}},
		{"the same bytes", func(h *host, x *Handle) error {
			_, err := x.Write([]byte("base"), 0)
			return err
		}},
		{"the first bytes again", func(h *host, x *Handle) error {
			if _, err := x.Write([]byte("else"), 0); err != nil {
				return err
			}
			if err := x.Sync(context.Background()); err != nil {
				return err
			}
			_, err := x.Write([]byte("base"), 0)
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, newBucket(), newLockTable())
				defer h.stop()
				h.b.put("a", "base")
				x := h.open("a", "r+")
				h.cutOff("a")
				if err := c.change(h, x); err != nil {
					t.Fatal(err)
				}
				before := h.b.versions("a")
				if err := x.Flush(t.Context(), caller); !errors.Is(err, ErrUnsaved) || h.b.versions("a") != before {
					t.Errorf("close: %v, %d versions more", err, h.b.versions("a")-before)
				}
				h.healLocks()
				time.Sleep(time.Minute)
				if err := h.close(x); err != nil || h.b.get("a") != "base" || h.b.versions("a") != before+1 {
					t.Errorf("when the table was back: %v, %q, %d versions more", err, h.b.get("a"), h.b.versions("a")-before)
				}
			})
		})
	}
}

// Once the lease was proved valid again, or was had again, nobody has seen what was there before:
// it does not count any more.
func TestUnleasedAttemptAfterAProof(t *testing.T) {
	for _, revived := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, newBucket(), newLockTable())
			defer h.stop()
			h.b.put("a", "base")
			x := h.open("a", "r+")
			save := func(text string) {
				t.Helper()
				h.write(x, text, 0)
				if err := x.Sync(t.Context()); err != nil || h.b.get("a") != text {
					t.Fatalf("fsync: %v, a is %q", err, h.b.get("a"))
				}
			}
			if revived {
				h.locks.expire("a", true)
				save("else")
				h.locks.expire("a", false)
				save("more")
			} else {
				h.cutOff("a")
				save("else")
				h.healLocks()
				time.Sleep(2 * tablePause)
				if !h.locks.holds("a") {
					t.Fatal("the lease was not taken again")
				}
			}
			h.cutOff("a")
			save("base")
			x.Release()
		})
	}
}
