package file

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/spool"
)

// What is refused because the disk is full has not happened, and does not come true later.
func TestRefusedChangeOfModeDoesNotHappen(t *testing.T) {
	for _, open := range []bool{false, true} {
		for _, c := range []struct {
			name   string
			change func(h *host, x *Handle, c Change) error
		}{
			{"name", func(h *host, _ *Handle, c Change) error {
				_, err := h.SetAttr(h.t.Context(), "f", c)
				return err
			}},
			{"descriptor", func(h *host, x *Handle, c Change) error {
				_, err := x.SetAttr(h.t.Context(), c)
				return err
			}},
		} {
			if c.name == "descriptor" && !open {
				continue
			}
			for _, step := range []string{"mkdir", "create journal", "reserve journal"} {
				t.Run(fmt.Sprintf("by %s, open for write: %v, no room at %s", c.name, open, step), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						h := newHost(t, newBucket(), newLockTable())
						disk := newPlatter().disk()
						h.restart(spool.Options{FS: disk})
						defer h.stop()
						h.b.put("f", "text")
						was := h.b.info("f").VersionID
						var x *Handle
						if open {
							x = h.open("f", "r+")
						}
						disk.failing(func(label string) error {
							if strings.HasPrefix(label, step) {
								return unix.ENOSPC
							}
							return nil
						})
						mode := uint32(0o600)
						if err := c.change(h, x, Change{Mode: &mode}); !errors.Is(err, ErrNoSpace) {
							t.Fatalf("chmod: %v", err)
						}
						disk.failing(nil)
						if open {
							if a := x.Attr(); a.Mode != ModeRegular|0o644 {
								t.Errorf("the open file has mode %o", a.Mode)
							}
							if err := h.close(x); err != nil {
								t.Errorf("close: %v", err)
							}
						}
						synctest.Wait()
						if now := h.b.info("f"); now.VersionID != was {
							t.Errorf("it came true later: %v", now.Props.Meta)
						}
						if len(h.files) > 0 {
							t.Error("the file stays in the table")
						}
					})
				})
			}
		}
	}
}
