package file

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// copyless are the servers that ignore conditions of CopyObject: a change of attributes and a rename
// are an upload there, or a PUT of what was read.
var copyless = []store.Flaws{
	store.CopyConditions, store.CopyConditions | store.CompleteConditions, store.CopyConditions | store.PartSource,
}

// onCopyless runs a test on each of these servers, with and without versions.
func onCopyless(t *testing.T, test func(t *testing.T, h *host)) {
	for _, flaws := range copyless {
		for _, versioned := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/versioned=%v", flaws, versioned), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHost(t, bucketOf(memstore.Options{Versioned: versioned, Flaws: flaws}), newLockTable())
					defer h.stop()
					test(t, h)
				})
			})
		}
	}
}

// commits is the request by which a server without conditions of CopyObject makes a copy.
func (h *host) commits() string {
	if h.b.Flaws() == store.CopyConditions {
		return "CompleteUpload"
	}
	return "Put"
}

// A change of attributes may bring another ETag. Nothing takes that for another file: descriptors read
// on, also those that have the file open for reading alone on a bucket without versions; the next change
// finds what the last one left; the times go on.
func TestAttributesBringAnotherETag(t *testing.T) {
	onCopyless(t, func(t *testing.T, h *host) {
		ctx := t.Context()
		h.b.put("a", "0123456789")
		reader, writer := h.open("a", "r"), h.open("a", "r+")
		was, last := h.b.info("a").ETag, reader.Attr().Ctime
		for i, mode := range []uint32{0o600, 0o640, 0o604} {
			time.Sleep(time.Minute)
			attr, err := writer.SetAttr(ctx, Change{Mode: &mode})
			if err == nil {
				err = writer.Sync(ctx)
			}
			if err != nil || attr.Mode != ModeRegular|mode || !attr.Ctime.After(last) {
				t.Fatalf("fchmod %d: %+v, %v", i, attr, err)
			}
			last = attr.Ctime
			if got := h.read(reader); got != "0123456789" {
				t.Errorf("after fchmod %d: %q", i, got)
			}
		}
		if now := h.b.info("a").ETag; (now != was) != (h.commits() == "CompleteUpload") {
			t.Errorf("the ETag is %s, it was %s", now, was)
		}
		h.write(writer, "ABC", 2)
		if err := h.close(writer); err != nil || h.b.get("a") != "01ABC56789" {
			t.Fatalf("close: %v; %q", err, h.b.get("a"))
		}
		// By name, twice, and an open that knows what the last one left.
		time.Sleep(time.Minute)
		for _, mode := range []uint32{0o611, 0o622} {
			attr, err := h.SetAttr(ctx, "a", Change{Mode: &mode})
			if err != nil || attr.Mode != ModeRegular|mode {
				t.Errorf("chmod: %+v, %v", attr, err)
			}
			time.Sleep(time.Second)
		}
		known := h.b.info("a").Base()
		x, attr, err := h.Open(ctx, OpenRequest{Key: "a", Read: true, Known: &known, Caller: caller})
		if err != nil || attr.Mode != ModeRegular|0o622 || h.read(x) != "01ABC56789" {
			t.Fatalf("open: %+v, %v", attr, err)
		}
		x.Release()
		reader.Release()
		for _, request := range []string{"Copy", "CopyPart", "CompleteUpload"} {
			flaw := map[string]store.Flaws{"Copy": store.CopyConditions, "CopyPart": store.PartSource, "CompleteUpload": store.CompleteConditions}[request]
			if h.b.Flaws().Has(flaw) && h.b.count(request) > 0 {
				t.Errorf("%d times %s", h.b.count(request), request)
			}
		}
	})
}

// SEMANTICS "Servers", G1: what a foreign writer puts there in the last moment before a change of
// attributes, or at a rename's target, stays.
func TestForeignWriteBesideACopy(t *testing.T) {
	for name, do := range map[string]func(h *host) error{
		"chmod": func(h *host) error {
			mode := uint32(0o600)
			_, err := h.SetAttr(context.Background(), "a", Change{Mode: &mode})
			return err
		},
		"rename":       func(h *host) error { return h.Rename(context.Background(), "b", "a", false, nil) },
		"empty rename": func(h *host) error { return h.Rename(context.Background(), "e", "a", false, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			onCopyless(t, func(t *testing.T, h *host) {
				h.b.put("a", "base")
				h.b.put("b", "other")
				h.b.put("e", "")
				time.Sleep(time.Minute)
				request := h.commits()
				if name == "empty rename" {
					request = "Put"
				}
				h.b.once(request, "a", func() { h.b.put("a", "theirs") })
				if err := do(h); err == nil || h.b.get("a") != "theirs" || h.b.get("b") != "other" || h.b.get("e") != "" {
					t.Errorf("%v; a is %q", err, h.b.get("a"))
				}
				if h.b.mem.OpenUploads() != 0 {
					t.Error("an upload is left")
				}
			})
		})
	}
}

// LOCKS P6: a mount that dies between the part and its Complete leaves an upload, which the recovery
// aborts; the copy is in the journal, so that its lock is kept until nothing of it can land.
func TestCrashBetweenPartAndComplete(t *testing.T) {
	for name, do := range map[string]func(h *host){
		"chmod": func(h *host) {
			mode := uint32(0o600)
			h.SetAttr(context.Background(), "a", Change{Mode: &mode})
		},
		"rename": func(h *host) { h.Rename(context.Background(), "a", "b", false, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, bucketOf(memstore.Options{Versioned: true, Flaws: store.CopyConditions}), newLockTable())
				h.b.put("a", "text")
				h.b.net.On("CompleteUpload").Hang()
				h.b.net.On("AbortUpload").Fail(store.Unsent, errDial)
				go do(h)
				time.Sleep(time.Second)
				h.died()
				if h.b.mem.OpenUploads() != 1 {
					t.Fatalf("%d uploads are open", h.b.mem.OpenUploads())
				}
				n := newHost(t, h.b, h.locks)
				defer n.stop()
				r, err := n.Recovery(h.dir)
				if err != nil {
					t.Fatal(err)
				}
				key := map[string]string{"chmod": "a", "rename": "b"}[name]
				if !r.Unanswered(key) {
					t.Errorf("the lock of %s is free at once", key)
				}
				if left, err := r.Run(t.Context()); err != nil || len(left) != 0 {
					t.Errorf("left %+v, %v", left, err)
				}
				if h.b.mem.OpenUploads() != 0 || h.b.get("a") != "text" {
					t.Errorf("%d uploads are open, a is %q", h.b.mem.OpenUploads(), h.b.get("a"))
				}
			})
		})
	}
}

// remade puts the same bytes there by an upload, as another mount's change of attributes does: the ETag
// is that of the last such change.
func (b *bucket) remade(t *testing.T, key string) {
	body := b.get(key)
	ctx := t.Context()
	upload, err := b.mem.CreateUpload(ctx, store.CreateUploadRequest{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	part, err := b.mem.UploadPart(ctx, store.PartRequest{Key: key, Upload: upload, Number: 1, Body: strings.NewReader(body), Size: int64(len(body))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = b.mem.CompleteUpload(ctx, store.CompleteRequest{Key: key, Upload: upload, Parts: []store.Part{part}, Size: int64(len(body))}); err != nil {
		t.Fatal(err)
	}
}

// LOCKS P5: an attempt without a lease over a version that a change of attributes made. Another one of
// those leaves the ETag; it is not overwritten with a 0, whatever the attempt brings.
func TestUnleasedAttemptOverARemadeVersion(t *testing.T) {
	for _, text := range []string{"ours", "base"} { // "base" brings an ETag that the name had before the upload
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, bucketOf(memstore.Options{Versioned: true, Flaws: store.CopyConditions}), newLockTable())
			defer h.stop()
			h.b.put("a", "base")
			h.b.remade(t, "a")
			x := h.open("a", "r+")
			h.write(x, text, 0)
			h.cutOff("a")
			h.b.once("Put", "a", func() { h.b.remade(t, "a") })
			var conflict *ConflictError
			if err := h.close(x); !errors.As(err, &conflict) || conflict.Over == "" {
				t.Errorf("%s: close: %v", text, err)
			}
		})
	}
}

// On a server that ignores the condition of DELETE unlink looks first.
func TestUnlinkLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, bucketOf(memstore.Options{Versioned: true, Flaws: store.DeleteConditions}), newLockTable())
		defer h.stop()
		h.b.put("a", "base")
		heads := 0
		h.b.before("Head", "a", func() faultstore.Fault {
			if heads++; heads == 2 { // the first one is under the lease
				h.b.put("a", "theirs")
			}
			return faultstore.Fault{}
		})
		if err := h.Unlink(t.Context(), "a", nil); err == nil || h.b.get("a") != "theirs" || h.b.count("Delete") != 0 {
			t.Errorf("%v; a is %q", err, h.b.get("a"))
		}
		if err := h.Unlink(t.Context(), "a", nil); err != nil || h.b.get("a") != "-" {
			t.Errorf("%v; a is %q", err, h.b.get("a"))
		}
	})
}
