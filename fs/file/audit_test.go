package file

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// by is a context of a user.
func by(user string) context.Context { return WithUser(context.Background(), user) }

// openBy opens a file for write for a user.
func (h *host) openBy(user, key string) *Handle {
	h.t.Helper()
	x, _, err := h.Open(by(user), OpenRequest{Key: key, Write: true, Caller: caller})
	if err != nil {
		h.t.Fatal(err)
	}
	return x
}

// audits makes every commit of the bucket's client carry all of its audit.
func (b *bucket) audits(host string) {
	flaws := b.Flaws()
	b.Client = store.New(b.net, store.Options{Host: host, Audit: store.AuditFull})
	b.SetFlaws(flaws)
}

// commitOf gives what the current version of a key says of its commit, without what is random.
func (b *bucket) commitOf(key string) store.Audit {
	return store.ReadCommit(b.info(key).Props.Meta).Audit
}

// What each change of a file says of itself. Where several things happen in one commit, bytes make
// it a write, and the last author is named.
func TestAuditOfCommits(t *testing.T) {
	mode := uint32(0o600)
	change := Change{Mode: &mode}
	setAttr := func(user string, c Change) func(h *host) error {
		return func(h *host) error { _, err := h.SetAttr(by(user), "a", c); return err }
	}
	size, mtime := int64(2), time.Unix(1, 0)
	for name, c := range map[string]struct {
		do   func(h *host) error
		key  string
		want store.Audit
	}{
		"create": {func(h *host) error {
			x, _, err := h.Create(by("ann"), CreateRequest{OpenRequest: OpenRequest{Key: "n", Caller: caller}})
			if err != nil {
				return err
			}
			return h.close(x)
		}, "n", store.Audit{User: "ann", What: store.WhatWrite}},
		"write": {func(h *host) error {
			x := h.openBy("ann", "a")
			h.write(x, "x", 0)
			return h.close(x)
		}, "a", store.Audit{User: "ann", What: store.WhatWrite}},
		"open with truncation": {func(h *host) error {
			x, _, err := h.Open(by("ann"), OpenRequest{Key: "a", Write: true, Trunc: true, Caller: caller})
			if err != nil {
				return err
			}
			return h.close(x)
		}, "a", store.Audit{User: "ann", What: store.WhatWrite}},
		"truncate":             {setAttr("ann", Change{Size: &size}), "a", store.Audit{User: "ann", What: store.WhatWrite}},
		"truncate to the size": {setAttr("ann", Change{Size: new(int64(4)), Mtime: &mtime}), "a", store.Audit{User: "ann", What: store.WhatMeta}},
		"chmod":                {setAttr("ann", change), "a", store.Audit{User: "ann", What: store.WhatMeta}},
		"chmod of what is open": {func(h *host) error {
			x := h.openBy("ann", "a")
			if _, err := h.SetAttr(by("beth"), "a", change); err != nil {
				return err
			}
			return h.close(x)
		}, "a", store.Audit{User: "beth", What: store.WhatMeta}},
		"a write, then chmod by another user": {func(h *host) error {
			x := h.openBy("ann", "a")
			h.write(x, "x", 0)
			if _, err := x.SetAttr(by("beth"), change); err != nil {
				return err
			}
			return h.close(x)
		}, "a", store.Audit{User: "beth", What: store.WhatWrite}},
		"two writers": {func(h *host) error {
			x, y := h.openBy("ann", "a"), h.openBy("beth", "a")
			h.write(y, "y", 0)
			h.write(x, "x", 0)
			h.close(y)
			return h.close(x)
		}, "a", store.Audit{User: "ann", What: store.WhatWrite}},
		"rename": {func(h *host) error { return h.Rename(by("ann"), "a", "b/ü", false, nil) }, "b/ü",
			store.Audit{User: "ann", What: store.WhatRename, From: "a"}},
		"mkdir": {func(h *host) error { _, err := h.Mkdir(by("ann"), "d/", 0o755, 1, 1); return err }, "d/",
			store.Audit{User: "ann", What: store.WhatWrite}},
		"symlink": {func(h *host) error {
			_, err := h.Symlink(by("ann"), SymlinkRequest{Key: "l", Target: "t"})
			return err
		}, "l", store.Audit{User: "ann", What: store.WhatWrite}},
	} {
		for _, flaws := range []store.Flaws{0, store.CopyConditions | store.CompleteConditions} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := bucketOf(memstore.Options{Versioned: true, Flaws: flaws})
					b.audits("here")
					h := newHost(t, b, newLockTable())
					defer h.stop()
					b.put("a", "text")
					b.put("b/", "")
					if err := c.do(h); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					c.want.Host = "here"
					if got := b.commitOf(c.key); got != c.want {
						t.Errorf("%+v, want %+v", got, c.want)
					}
				})
			})
		}
	}
}

// A recovery writes the audit of the host and the user who wrote, whatever it is called itself.
func TestAuditOfARecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		b.audits("here")
		h := newHost(t, b, newLockTable())
		b.put("a", "text")
		b.put("m", "text")
		b.put("u", "text")
		b.net.Hook(func(op, _ string, _ int) (f faultstore.Fault) {
			f.Hang = op == "Put" || op == "Copy"
			return f
		})
		x := h.openBy("ann", "a")
		h.write(x, "x", 0)
		h.close(x)
		mode := uint32(0o600)
		h.SetAttr(by("beth"), "m", Change{Mode: &mode})
		y := h.openBy("cleo", "u") // of what was not asked to be saved nobody is named
		if _, err := y.SetAttr(by("cleo"), Change{Mode: &mode}); err != nil {
			t.Fatal(err)
		}
		h.died()
		b.audits("renamed")
		n := newHost(t, b, h.locks)
		defer n.stop()
		if left := n.recover(h); len(left) > 0 {
			t.Errorf("left %+v", left)
		}
		for key, want := range map[string]store.Audit{
			"a": {Host: "here", User: "ann", What: store.WhatWrite},
			"m": {Host: "here", User: "beth", What: store.WhatMeta},
			"u": {Host: "renamed", What: store.WhatMeta},
		} {
			if got := b.commitOf(key); got != want {
				t.Errorf("%s: %+v, want %+v", key, got, want)
			}
		}
	})
}
