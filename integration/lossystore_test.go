package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// contested is the key that the rivals write.
const contested = "dir/contested"

// A rival is one of several hosts that write one key, without leases, each over a network
// of its own that loses answers and is late.
type rival struct {
	*testing.T
	name   string
	direct store.API // past the network
	net    *faultstore.Store
	c      *store.Client

	faults  map[string]int
	written map[store.WriteID]store.Info // acknowledged
	refused map[store.WriteID]string     // reported as conflicts: no part of the history
	deleted []store.Base                 // acknowledged
	kinds   map[string]int               // acknowledged
}

// allowed is a permit that never ends: what follows has to hold without any lease.
type allowed struct{}

func (allowed) Check() error { return nil }

func newRival(t *testing.T, name string, api store.API, times store.Timing) *rival {
	r := &rival{T: t, name: name, direct: api, net: faultstore.New(api), faults: map[string]int{}, kinds: map[string]int{},
		written: map[store.WriteID]store.Info{}, refused: map[store.WriteID]string{}}
	r.c = store.New(r.net, store.Options{Host: name, Timing: times})
	var mu sync.Mutex // parts are uploaded in parallel
	r.net.Hook(func(op, _ string, _ int) faultstore.Fault {
		kind, f := badLuck(op)
		mu.Lock()
		defer mu.Unlock()
		r.faults[kind]++
		return f
	})
	return r
}

// badLuck draws what happens to a request.
func badLuck(op string) (kind string, f faultstore.Fault) {
	late := rand.N(120 * time.Millisecond)
	broken := &store.AttemptError{Fate: store.Unknown, Err: errors.New("broken pipe")}
	busy := &store.AttemptError{Fate: store.Unsent, Code: "SlowDown", Err: errors.New("slow down")}
	n := rand.IntN(30)
	switch {
	case op == "AbortUpload" || op == "ListVersions":
		return "none", f
	case n < 3:
		return "reply lost", faultstore.Fault{LoseReply: true}
	case n == 3:
		return "busy", faultstore.Fault{Err: busy}
	case op == "Head" || n > 7:
		return "none", f
	case n == 4:
		return "request lost", faultstore.Fault{Err: broken}
	case n == 5:
		return "late", faultstore.Fault{Late: late}
	case n == 6:
		return "slow", faultstore.Fault{Delay: late}
	case n == 7 && rand.IntN(3) == 0:
		return "silent and late", faultstore.Fault{Hang: true, Late: late}
	}
	return "none", f
}

// step changes the key in one way or another, as it found it.
func (r *rival) step(ctx context.Context, n int) {
	seen, err := r.c.Head(ctx, contested, "")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		r.Error(err)
		return
	}
	base := seen.Base()
	// No content comes twice: an ETag says which version is meant, as the lease makes it
	// between mounts.
	content := fmt.Sprintf("%s writes %d over %s", r.name, n, base.VersionID)
	w := store.Write{Key: contested, ID: store.NewWriteID(), Base: base,
		Props: store.Props{Meta: map[string]string{"by": r.name}}}
	var made store.Info
	kind := "put"
	switch d := rand.IntN(12); {
	case d < 2 && !base.Absent():
		err := r.c.Delete(ctx, allowed{}, store.Deletion{Key: contested, Base: base})
		switch {
		case err == nil:
			r.deleted = append(r.deleted, base)
			r.kinds["delete"]++
		case !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound):
			r.Errorf("delete: %v", err)
		}
		return
	case d < 4:
		kind = "upload"
		content += strings.Repeat(".", store.PartSize)
		made, err = r.c.Put(ctx, allowed{}, w, store.Body{ReaderAt: strings.NewReader(content), Size: int64(len(content))})
	case d < 7:
		kind = "copy"
		source := fmt.Sprint("sources/", r.name, n)
		from, perr := r.direct.Put(ctx, store.PutRequest{Key: source, Body: strings.NewReader(content), Size: int64(len(content))})
		if perr != nil {
			r.Error(perr)
			return
		}
		made, err = r.c.Copy(ctx, allowed{}, w, store.Source{Key: source, Base: from.Base(), Size: int64(len(content))})
	default:
		made, err = r.c.Put(ctx, allowed{}, w, store.Body{ReaderAt: strings.NewReader(content), Size: int64(len(content))})
	}
	switch {
	case err == nil:
		r.written[w.ID] = made
		r.kinds[kind]++
	case errors.Is(err, store.ErrConflict):
		r.refused[w.ID] = fmt.Sprintf("%s of %s: %v", kind, r.name, err)
	default:
		r.Errorf("%s: %v", kind, err)
	}
}

// Whatever is lost or late between hosts that write one key: what was acknowledged is in the
// history exactly once, over the version that its author saw, and what was refused is not,
// but for uploads that cannot tell (SEMANTICS G1, LOCKS P3, P4).
func TestStoreLostReplies(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	api := newBucket(t)
	if err := errors.Join(api.CreateBucket(ctx), api.EnableVersioning(ctx)); err != nil {
		t.Fatal(err)
	}
	times := store.Timing{Quiet: 500 * time.Millisecond, Stall: 2 * time.Second}
	rivals := []*rival{newRival(t, "a", api, times), newRival(t, "b", api, times), newRival(t, "c", api, times)}
	var work sync.WaitGroup
	for _, r := range rivals {
		work.Go(func() {
			for n := range 45 {
				r.step(ctx, n)
			}
		})
	}
	work.Wait()
	written, refused := map[store.WriteID]store.Info{}, map[store.WriteID]string{}
	faults, kinds := map[string]int{}, map[string]int{}
	var deleted []store.Base
	for _, r := range rivals {
		r.net.Wait()
		for id, made := range r.written {
			written[id] = made
		}
		for id, why := range r.refused {
			refused[id] = why
		}
		for k, n := range r.faults {
			faults[k] += n
		}
		for k, n := range r.kinds {
			kinds[k] += n
		}
		deleted = append(deleted, r.deleted...)
	}
	checkHistory(t, api, written, refused, deleted)
	t.Logf("acknowledged %v, conflicts %d, requests %v", kinds, len(refused), faults)
	for _, kind := range []string{"put", "upload", "copy", "delete"} {
		if kinds[kind] < 3 {
			t.Errorf("only %d of kind %s were acknowledged", kinds[kind], kind)
		}
	}
	if faults["reply lost"] < 10 || faults["late"]+faults["request lost"] < 4 || len(refused) < 3 {
		t.Error("too little happened")
	}
}

// A request that a box in the middle sent twice is refused the second time by what it wrote
// the first time, and that is no conflict (LOCKS P4.1).
func TestStoreResent(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	api := newBucket(t)
	if err := errors.Join(api.CreateBucket(ctx), api.EnableVersioning(ctx)); err != nil {
		t.Fatal(err)
	}
	from, err := api.Put(ctx, store.PutRequest{Key: "source", Body: strings.NewReader("copied"), Size: 6})
	if err != nil {
		t.Fatal(err)
	}
	net := faultstore.New(api)
	c := store.New(net, store.Options{})
	body := func(s string) store.Body { return store.Body{ReaderAt: strings.NewReader(s), Size: int64(len(s))} }
	written := map[store.WriteID]store.Info{}
	var last store.Base
	for _, kind := range []string{"Put", "CompleteUpload", "Copy", "Put", "CompleteUpload"} {
		resent := net.On(kind).Nth(1).Resend()
		w := store.Write{Key: contested, ID: store.NewWriteID(), Base: last}
		var made store.Info
		switch kind {
		case "Put":
			made, err = c.Put(ctx, allowed{}, w, body("put over "+last.VersionID))
		case "CompleteUpload":
			made, err = c.Put(ctx, allowed{}, w, body("upload over "+last.VersionID+strings.Repeat(".", store.PartSize)))
		case "Copy":
			made, err = c.Copy(ctx, allowed{}, w, store.Source{Key: "source", Base: from.Base(), Size: 6})
		}
		if err != nil || resent.Fired() != 1 {
			t.Fatalf("%s: %v; resent %d times", kind, err, resent.Fired())
		}
		written[w.ID], last = made, made.Base()
	}
	checkHistory(t, api, written, nil, nil)
}

// A request that creates a file and is late may find that the file has come and gone since.
// Were it sent again before it is dead, both could land, and a deleted file would be back
// (LOCKS, variant 7).
func TestStoreLateCreate(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	api := newBucket(t)
	if err := errors.Join(api.CreateBucket(ctx), api.EnableVersioning(ctx)); err != nil {
		t.Fatal(err)
	}
	net := faultstore.New(api)
	late := net.On("Put").Nth(1).Late(150 * time.Millisecond)
	c := store.New(net, store.Options{Timing: store.Timing{Quiet: time.Second, Stall: 5 * time.Second}})

	var deleted []store.Base
	over := make(chan struct{})
	var other sync.WaitGroup
	other.Go(func() { // removes it whenever it appears
		for {
			select {
			case <-over:
				return
			case <-time.After(5 * time.Millisecond):
			}
			seen, err := api.Head(ctx, store.HeadRequest{Key: contested})
			if err == nil {
				err = api.Delete(ctx, store.DeleteRequest{Key: contested, IfMatch: seen.ETag})
				deleted = append(deleted, seen.Base())
			}
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Error(err)
			}
		}
	})
	w := store.Write{Key: contested, ID: store.NewWriteID()}
	made, err := c.Put(ctx, allowed{}, w, store.Body{ReaderAt: strings.NewReader("content"), Size: 7})
	net.Wait()
	close(over)
	other.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if late.Fired() != 1 || len(deleted) != 1 {
		t.Errorf("%d requests were late, %d versions deleted", late.Fired(), len(deleted))
	}
	checkHistory(t, api, map[store.WriteID]store.Info{w.ID: made}, nil, deleted)
}

// checkHistory walks the history of the contested key from its beginning.
func checkHistory(t *testing.T, api store.API, written map[store.WriteID]store.Info, refused map[store.WriteID]string, deleted []store.Base) {
	t.Helper()
	page, err := api.ListVersions(t.Context(), store.VersionOptions{Prefix: contested})
	if err != nil || page.NextKey != "" {
		t.Fatalf("the history does not fit a page: %v", err)
	}
	seen := map[store.WriteID]bool{}
	place := map[string]int{}   // of a version, from the end
	hidden := map[string]bool{} // versions of uploads that were told to be conflicts, since the last other one
	lastMarker, before := -1, "-"
	for i := len(page.Versions) - 1; i >= 0; i-- {
		v := page.Versions[i]
		if v.Deleted {
			if before == "-" {
				t.Error("nothing was deleted")
			}
			before, lastMarker = "-", i
			continue
		}
		head, err := api.Head(t.Context(), store.HeadRequest{Key: contested, Version: v.Info.VersionID})
		if err != nil {
			t.Fatal(err)
		}
		id, err := url.PathUnescape(head.Props.Meta["latchfs-write-id"])
		if err != nil {
			t.Error(err)
		}
		base, err := url.PathUnescape(head.Props.Meta["latchfs-base"])
		if err != nil {
			t.Error(err)
		}
		made, acknowledged := written[store.WriteID(id)]
		told := refused[store.WriteID(id)]
		_, twice := seen[store.WriteID(id)]
		switch {
		case twice:
			t.Errorf("write %s is there twice", id)
		case strings.HasPrefix(told, "upload"):
			// Its answer was lost and another version lies on top. Nobody can tell whether that
			// came later or was there unseen, so its author was told of a conflict (LOCKS P3).
		case told != "":
			t.Errorf("a conflict is there: %s", told)
		case !acknowledged:
			t.Errorf("write %q by %q is nobody's", id, head.Props.Meta["by"])
		case made.VersionID != v.Info.VersionID || made.ETag != v.Info.ETag || made.Size != v.Info.Size:
			t.Errorf("write %s was acknowledged as %+v, and is %+v", id, made, v.Info)
		}
		if strings.HasPrefix(told, "upload") {
			// It lies where it was begun, and who came later may have seen it or not.
			hidden[v.Info.VersionID], place[v.Info.VersionID] = true, i
			continue
		}
		if base != before && !hidden[base] {
			t.Errorf("LOST UPDATE: version %s was written over %s by an author who saw %s", v.Info.VersionID, before, base)
		}
		seen[store.WriteID(id)], place[v.Info.VersionID], before = true, i, v.Info.VersionID
		clear(hidden)
	}
	if len(seen) != len(written) {
		t.Errorf("%d writes are there, %d were acknowledged", len(seen), len(written))
	}
	for _, b := range deleted {
		if i, ok := place[b.VersionID]; !ok || lastMarker < 0 || lastMarker > i {
			t.Errorf("version %s was said to be deleted, and never was", b.VersionID)
		}
	}
}
