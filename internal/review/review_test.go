package review

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// A world is a versioned bucket in memory, whose clock goes on a minute with each change.
type world struct {
	*testing.T
	mem *memstore.Bucket
	*store.Client
	now time.Time
	mu  sync.Mutex
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: noon}
	w.mem = memstore.New(memstore.Options{Versioned: true, Now: func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.now
	}})
	w.Client = store.New(w.mem, store.Options{Host: "alpha", Audit: store.AuditFull})
	return w
}

func (w *world) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Minute)
}

// put writes as a mount does.
func (w *world) put(key, body string, mode uint32, a store.Audit) store.Info {
	w.Helper()
	w.tick()
	base := store.Base{}
	if i, err := w.Head(w.Context(), key, ""); err == nil {
		base = i.Base()
	}
	meta, err := store.Posix{Mode: mode, Has: store.HasMode}.Put(nil)
	if err != nil {
		w.Fatal(err)
	}
	i, err := w.Put(w.Context(), always{}, store.Write{Key: key, ID: store.NewWriteID(), Base: base, Props: store.Props{Meta: meta}, Audit: a},
		store.Body{ReaderAt: strings.NewReader(body), Size: int64(len(body))})
	if err != nil {
		w.Fatal(err)
	}
	return i
}

func (w *world) foreign(key, body string, meta map[string]string) {
	w.tick()
	w.mem.PutForeignProps(key, body, store.Props{Meta: meta}, "")
}

func (w *world) remove(key string) {
	w.tick()
	w.mem.DeleteForeign(key)
}

func (w *world) versions(key string) []history.Version {
	w.Helper()
	v, err := history.New(w.Client).Versions(w.Context(), key)
	if err != nil {
		w.Fatal(err)
	}
	return v
}

type always struct{}

func (always) Check() error { return nil }

// brief writes entries as "what by change", with a star for the current one.
func brief(entries []Entry) string {
	var all []string
	for _, e := range entries {
		s := fmt.Sprintf("%s:%s:%s%+d", e.Info.Key, e.What, e.By(), e.Change)
		if mode, ok := e.Mode(); ok {
			s += fmt.Sprintf(":%o", mode)
		}
		if e.Commit.From != "" {
			s += ":" + e.Commit.From
		}
		if e.Current {
			s += "*"
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

// Who made each version, how, and what became of its size; one HEAD for each.
func TestLog(t *testing.T) {
	w := newWorld(t)
	w.put("f", "one", 0o644, store.Audit{User: "ann", What: store.WhatWrite})
	w.put("f", "one", 0o600, store.Audit{What: store.WhatMeta})
	w.foreign("f", "by another", nil)
	w.put("f", "x", 0o100755, store.Audit{What: store.WhatRename, From: "g"})
	meta := w.copied("f")
	w.foreign("f", "copied", meta)
	w.remove("f")
	w.put("f", "back", 0o644, store.Audit{}) // an earlier latchfs says nothing of itself
	w.put("f", "back", 0o755, store.Audit{}) // nor here, and the bytes are the same
	heads := w.mem.Count("Head")
	entries, err := Log(t.Context(), w, LogOptions{}, w.versions("f"))
	want := "f:meta:alpha+0:100755* f:write:alpha+4:100644 f:delete:-6 f:foreign:+5:100755:g f:rename:alpha-9:100755:g " +
		"f:foreign:+7 f:meta:alpha+0:100600 f:write:ann@alpha+3:100644"
	if got := brief(entries); err != nil || got != want {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
	if n := w.mem.Count("Head") - heads; n != 7 {
		t.Errorf("%d HEADs for 7 versions", n)
	}
	for i, e := range entries {
		if oldest := i == len(entries)-1; (e.Before == nil) != oldest || !oldest && e.Before.Info.VersionID != entries[i+1].Info.VersionID {
			t.Errorf("before %s is %v", e.Info.VersionID, e.Before)
		}
	}

	heads = w.mem.Count("Head")
	entries, err = Log(t.Context(), w, LogOptions{Since: noon.Add(7 * time.Minute)}, w.versions("f"))
	if got := brief(entries); err != nil || got != "f:meta:alpha+0:100755* f:write:alpha+4:100644" || w.mem.Count("Head")-heads != 2 {
		t.Errorf("since: %s, %v, %d HEADs", got, err, w.mem.Count("Head")-heads)
	}
}

// copied is the metadata of what is current, as a tool gets them that copies objects.
func (w *world) copied(key string) map[string]string {
	i, err := w.Head(w.Context(), key, "")
	if err != nil {
		w.Fatal(err)
	}
	return i.Props.Meta
}

// Several files are in the order of time, and what goes away meanwhile is left out.
func TestLogOfSeveral(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{"a", "b", "a", "c", "b"} {
		w.put(key, "x"+w.now.String(), 0o644, store.Audit{What: store.WhatWrite})
	}
	keys := [][]history.Version{w.versions("a"), w.versions("b"), w.versions("c")}
	w.mem.Destroy("a", keys[0][0].Info.VersionID)
	most := 0
	entries, err := Log(t.Context(), w, LogOptions{Tick: func(done, n int) { most = max(most, done*100/n) }}, keys...)
	var order []string
	for _, e := range entries {
		order = append(order, e.Info.Key)
	}
	if got := strings.Join(order, ""); err != nil || got != "bcab" || most != 100 {
		t.Errorf("%s, %v, %d %%", got, err, most)
	}
	w.mem.PutForeign("s", "1") // all in one second
	w.mem.PutForeign("s", "22")
	w.mem.PutForeign("s", "333")
	entries, err = Log(t.Context(), w, LogOptions{}, w.versions("s"))
	if got := brief(entries); err != nil || got != "s:foreign:+1* s:foreign:+1 s:foreign:+1" || entries[0].Info.Size != 3 {
		t.Errorf("of one second: %s, %v", got, err)
	}
	if entries, err := Log(t.Context(), w, LogOptions{}); err != nil || len(entries) != 0 {
		t.Errorf("of nothing: %v, %v", entries, err)
	}
}

// The tags of versions that have any are asked for, and one who may not read them sees the rest.
func TestLogOfLabels(t *testing.T) {
	w := newWorld(t)
	w.foreign("f", "x", nil)
	w.tick()
	w.mem.PutForeignProps("f", "y", store.Props{}, "latchfs-labels=v1%20release&other=z")
	entries, err := Log(t.Context(), w, LogOptions{}, w.versions("f"))
	if err != nil || fmt.Sprint(entries[0].Labels, entries[1].Labels) != "[v1 release] []" || w.mem.Count("Tags") != 1 {
		t.Errorf("%v, %v, %d requests for tags", entries, err, w.mem.Count("Tags"))
	}
	entries, err = Log(t.Context(), deniedTags{w.Client}, LogOptions{}, w.versions("f"))
	if err != nil || len(entries) != 2 || entries[0].Labels != nil {
		t.Errorf("who may not read tags: %v, %v", entries, err)
	}
}

type deniedTags struct{ *store.Client }

func (deniedTags) Labels(context.Context, string, string) ([]string, error) {
	return nil, store.ErrAccessDenied
}

// A broken store ends it, however many requests are under way.
func TestLogFails(t *testing.T) {
	w := newWorld(t)
	for range 100 {
		w.foreign("f", "x", nil)
	}
	versions := w.versions("f")
	broken := &brokenHead{Client: w.Client, err: store.ErrAccessDenied}
	if _, err := Log(t.Context(), broken, LogOptions{}, versions); !errors.Is(err, store.ErrAccessDenied) {
		t.Errorf("denied: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Log(ctx, w, LogOptions{}, versions); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

type brokenHead struct {
	*store.Client
	err error
}

func (b *brokenHead) Head(context.Context, string, string) (store.Info, error) {
	return store.Info{}, b.err
}

func TestCopy(t *testing.T) {
	w := newWorld(t)
	old := w.put("f", "first content", 0o644, store.Audit{})
	w.put("f", "second", 0o644, store.Audit{})
	empty := w.put("e", "", 0o644, store.Audit{})
	copyOf := func(objects Objects, i store.Info) (string, error) {
		var b bytes.Buffer
		err := Copy(t.Context(), &b, objects, i)
		return b.String(), err
	}
	if got, err := copyOf(w, old); err != nil || got != "first content" {
		t.Errorf("an older version: %q, %v", got, err)
	}
	if got, err := copyOf(w, empty); err != nil || got != "" {
		t.Errorf("an empty file: %q, %v", got, err)
	}
	// Answers that break off are taken up, as long as something comes.
	if got, err := copyOf(&breaking{Objects: w, after: 5}, old); err != nil || got != "first content" {
		t.Errorf("answers that break off: %q, %v", got, err)
	}
	b := &breaking{Objects: w, after: 0}
	if got, err := copyOf(b, old); !errors.Is(err, store.ErrUnavailable) || got != "" || b.gets != retries+1 {
		t.Errorf("answers without a byte: %q, %v, %d requests", got, err, b.gets)
	}
	old.VersionID = "none"
	if _, err := copyOf(w, old); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a version that is gone: %v", err)
	}
	w.tick()
	cold := w.mem.PutForeignProps("cold", "x", store.Props{StorageClass: "GLACIER"}, "")
	if _, err := copyOf(w, cold); !errors.Is(err, store.ErrArchived) || !strings.Contains(err.Error(), "GLACIER") {
		t.Errorf("an archived version: %v", err)
	}
}

// A breaking bucket ends each answer after so many bytes.
type breaking struct {
	Objects
	after int64
	gets  int
}

func (b *breaking) Get(ctx context.Context, key string, o store.GetOptions) (*store.Object, error) {
	b.gets++
	object, err := b.Objects.Get(ctx, key, o)
	if err == nil {
		object.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(object.Body, b.after), failing{}), object.Body}
	}
	return object, err
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, store.ErrUnavailable }
