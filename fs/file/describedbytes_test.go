package file

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
)

// SEMANTICS G9: a checksum in the metadata does not outlive a commit of other bytes, and a
// Content-Encoding not the last of them. Changes of attributes and names keep both.
func TestMetadataOfOldBytes(t *testing.T) {
	ctx := context.Background()
	mode := uint32(0o600)
	const sum, encoding = 1, 2
	chmod := func(h *host, _ *Handle) error { _, err := h.SetAttr(ctx, "a", Change{Mode: &mode}); return err }
	size := func(n int64) func(*host, *Handle) error {
		return func(h *host, _ *Handle) error { _, err := h.SetAttr(ctx, "a", Change{Size: &n}); return err }
	}
	written := func(how, text string, off int64) func(*host, *Handle) error {
		return func(h *host, _ *Handle) error {
			x := h.open("a", how)
			h.write(x, text, off)
			return h.close(x)
		}
	}
	sealed := func(h *host, x *Handle, text string, off int64) {
		h.write(x, text, off)
		x.f.mu.Lock()
		defer x.f.unlock()
		if _, err := x.f.seal(); err != nil {
			h.t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		do   func(h *host, x *Handle) error // x is open for write
		key  string                         // of the object, if not "a"
		kept int
		dies bool // before anything more is saved; another host recovers
	}{
		{"chmod", chmod, "", sum | encoding, false},
		{"rename", func(h *host, _ *Handle) error { return h.Rename(ctx, "a", "b", false, nil) }, "b", sum | encoding, false},
		{"truncate to the same size", size(4), "", sum | encoding, false},
		{"append", written("a", "more", 0), "", encoding, false},
		{"a byte", written("r+", "x", 2), "", encoding, false},
		{"shorter", size(2), "", encoding, false},
		{"longer", size(20), "", encoding, false},
		{"O_TRUNC", written("w", "new", 0), "", 0, false},
		{"emptied", size(0), "", 0, false},
		{"overwritten", written("r+", "over", 0), "", 0, false},
		{"overwritten and longer", written("r+", "overwritten", 0), "", 0, false},
		{"a change of attributes behind one of bytes", func(h *host, x *Handle) error {
			sealed(h, x, "x", 2)
			if _, err := x.SetAttr(ctx, Change{Mode: &mode}); err != nil {
				return err
			}
			return x.Sync(ctx)
		}, "", encoding, false},
		{"a byte behind all of them", func(h *host, x *Handle) error {
			sealed(h, x, "over", 0)
			h.write(x, "x", 2)
			return x.Sync(ctx)
		}, "", 0, false},
		{"recovered with its bytes", func(h *host, x *Handle) error { h.write(x, "x", 2); return nil }, "a.recovered-", encoding, true},
		{"recovered with all bytes", func(h *host, x *Handle) error { h.write(x, "over", 0); return nil }, "a.recovered-", 0, true},
		{"recovered attributes", func(h *host, x *Handle) error {
			h.write(x, "over", 0)
			return chmod(h, x)
		}, "a", sum | encoding, true},
		{"recovered attributes behind bytes", func(h *host, x *Handle) error {
			sealed(h, x, "over", 0)
			return chmod(h, x)
		}, "a", 0, true},
		{"conflict with a byte", func(h *host, x *Handle) error {
			h.write(x, "x", 2)
			h.b.put("a", "theirs")
			if err := x.Sync(ctx); err == nil {
				h.t.Error("no conflict")
			}
			return nil
		}, "a.conflict-", encoding, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, newBucket(), newLockTable())
				meta := map[string]string{"md5chksum": "x", "colour": "red"}
				h.b.mem.PutForeignProps("a", "base", store.Props{Meta: meta, ContentEncoding: "gzip", ContentType: "text/x"}, "")
				end := h.b.outage
				if !c.dies {
					end = func() func() { return func() {} }
				}
				x := h.open("a", "r+")
				over := end()
				if err := c.do(h, x); err != nil {
					t.Fatal(err)
				}
				if c.dies {
					h.died()
					over()
					n := newHost(t, h.b, h.locks)
					defer n.stop()
					if left := n.recover(h); len(left) != 0 {
						t.Errorf("left %+v", left)
					}
				} else {
					if err := h.close(x); err != nil && c.key != "a.conflict-" {
						t.Fatal(err)
					}
					time.Sleep(time.Minute)
					h.stop()
				}
				found := h.b.like(max(c.key, "a"))
				if len(found) == 0 {
					t.Fatalf("there is no %s: %v", c.key, h.b.like(""))
				}
				p, kept := h.b.info(found[0]).Props, 0
				if p.Meta["md5chksum"] != "" {
					kept |= sum
				}
				if p.ContentEncoding != "" {
					kept |= encoding
				}
				if kept != c.kept || p.Meta["colour"] != "red" || p.ContentType != "text/x" {
					t.Errorf("%s has %+v, want checksum %v, encoding %v", found[0], p, c.kept&sum != 0, c.kept&encoding != 0)
				}
				if c.key == "a" && p.Meta["file-permissions"] != "0100600" {
					t.Errorf("mode %q", p.Meta["file-permissions"])
				}
			})
		})
	}
}
