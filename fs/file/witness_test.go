package file

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr/memtable"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// A witness sees all that the mounts of a bucket do and are told, and judges it:
//
//   - every version was made by somebody who had seen the one that it replaced (G1), and is
//     what the programs on his mount had made of that one;
//   - what a close, fsync, rename, unlink or chmod has acknowledged is in the bucket;
//   - what was accepted is in the bucket in the end, or in a conflict or recovered file, or its
//     name was taken away on the same mount;
//   - an open shows nothing older than what was acknowledged before it began (G2);
//   - whoever is told of a conflict has one;
//   - at most one mount has a valid lease of a name, and a name is one kind of thing;
//   - the invariants of doc.go hold, and nothing is left behind.
//
// What happens is noted as events, by whichever goroutine does it, and judged together once
// everything waits.
type witness struct {
	t         *testing.T
	mem       *memstore.Bucket
	versioned bool
	flaws     store.Flaws // of the server, of which the mounts know
	server    *memtable.Server
	platter   *platter
	proc      string
	ending    sync.WaitGroup // of killed mounts

	mu     sync.Mutex
	seq    int64 // of whatever happened last
	events []event
	names  map[string]*history
	copies map[string]*edition // what was copied into a part, by upload that is open

	// The fields below belong to the goroutine that judges.

	mounts []*mount
	drafts []*draft // that are not settled
	byLive map[*live]*draft
	ops    []*op // that are under way, or whose outcome was not known
	late   []*op // that have ended well, and whose removal may still land: somebody else was faster
	// changes are all calls that change a file by name.
	changes []*op
	counts  map[string]int
	opens   int // descriptors so far
	log     []string
	began   time.Time
	failed  bool
	landed  bool // something, since the last look
	noisy   bool // the networks lose, delay and repeat
	// calm: nothing goes wrong, but somebody else writes. Then a call fails only for a reason.
	calm bool
	busy map[string]map[any]time.Time // if calm: by name, who used it, and until when
	// diskFails: what a program is told may be an error of the disk.
	diskFails bool
}

// A history is the versions of a key in the order in which they landed, and what of them was
// acknowledged.
type history struct {
	editions []*edition
	acks     []ack
}

// An ack says that version n, or a newer one, was acknowledged to somebody.
type ack struct {
	seq int64
	n   int
}

// An edition is one version of a key, or a delete marker.
type edition struct {
	key    string
	n      int
	seq    int64
	at     time.Time
	by     *mount // nil: somebody else
	req    *request
	info   store.Info // without properties; its zero ETag means that nothing is there
	body   string
	attr   Attr
	id     string   // the write id
	base   string   // that the author says he saw
	prev   *edition // nil: nothing ever was
	source *edition // of a copy: what was copied
	made   *op      // whose it is, if not a draft's
	again  *edition // the one that the same request had made before, if it was repeated; nil if it was refused then
	// repeated: a box on the way has sent the request once more.
	repeated bool
	deleted  bool
	// stuck: the bucket has refused to remove it.
	stuck bool
}

// there tells whether an object is there.
func (v *edition) there() bool { return v != nil && !v.deleted }

func (v *edition) String() string {
	switch {
	case v == nil:
		return "nothing"
	case v.deleted:
		return fmt.Sprintf("%s#%d (deleted)", v.key, v.n)
	}
	return fmt.Sprintf("%s#%d %q %o", v.key, v.n, v.body, v.attr.Mode)
}

func newWitness(t *testing.T, proc string, versioned bool, flaws store.Flaws) *witness {
	return &witness{
		t: t, mem: memstore.New(memstore.Options{Versioned: versioned, Flaws: flaws}), versioned: versioned, flaws: flaws,
		copies: map[string]*edition{},
		server: memtable.NewServer(), platter: newPlatter(), proc: proc,
		names: map[string]*history{}, byLive: map[*live]*draft{}, counts: map[string]int{},
		busy: map[string]map[any]time.Time{}, began: time.Now(),
	}
}

// An event is something that happened. judge says why it should not have, "" if all is well.
// What it says may change when later events of the same moment are judged.
type event interface{ judge(*witness) string }

// note adds an event, and returns the number of the moment.
func (w *witness) note(e event) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.noteLocked(e)
}

func (w *witness) noteLocked(e event) int64 {
	w.seq++
	if e != nil {
		w.events = append(w.events, e)
	}
	return w.seq
}

// now is the number of this moment.
func (w *witness) now() int64 { return w.note(nil) }

// judge waits until everything waits and judges what has happened. What cannot be explained by
// what is known so far is tried again once all else is known.
func (w *witness) judge() {
	synctest.Wait()
	if w.failed {
		return
	}
	// The race detector does not know that nobody else runs until this goroutine sleeps.
	defer w.now()
	w.mu.Lock()
	events := w.events
	w.events = nil
	w.mu.Unlock()
	for len(events) > 0 {
		var left []event
		var why string
		for _, e := range events {
			if said := e.judge(w); said != "" {
				left = append(left, e)
				if why == "" {
					why = said
				}
			}
		}
		if len(left) == len(events) {
			w.errorf("%s", why)
			return
		}
		events = left
	}
	w.look()
}

func (w *witness) errorf(format string, args ...any) {
	w.t.Helper()
	w.failed = true
	w.t.Errorf(format, args...)
}

func (w *witness) logf(format string, args ...any) { w.logAt(time.Now(), fmt.Sprintf(format, args...)) }

func (w *witness) logAt(at time.Time, text string) {
	w.log = append(w.log, fmt.Sprintf("%8.3f %s", at.Sub(w.began).Seconds(), text))
}

// A remark is for the log alone.
type remark struct {
	at   time.Time
	text string
}

func (e *remark) judge(w *witness) string {
	w.logAt(e.at, "    "+e.text)
	return ""
}

// tracef adds to the log, from any goroutine, if it is to have every request.
func (w *witness) tracef(format string, args ...any) {
	if *modelTrace {
		w.note(&remark{time.Now(), fmt.Sprintf(format, args...)})
	}
}

// history returns that of a key. w.mu is held, or everything waits.
func (w *witness) history(key string) *history {
	h := w.names[key]
	if h == nil {
		h = &history{}
		w.names[key] = h
	}
	return h
}

// current is the newest version of a key, nil if there never was any.
func (h *history) current() *edition {
	if len(h.editions) == 0 {
		return nil
	}
	return h.editions[len(h.editions)-1]
}

// version is the one with an id; "" is the current one.
func (h *history) version(id string) *edition {
	if id == "" {
		return h.current()
	}
	for _, v := range slices.Backward(h.editions) {
		if v.info.VersionID == id {
			return v
		}
	}
	return nil
}

// acked is the number of the newest version that was acknowledged before a moment, -1 if there
// is none.
func (h *history) acked(before int64) int {
	n := -1
	for _, a := range h.acks {
		if a.seq < before {
			n = max(n, a.n)
		}
	}
	return n
}

// at is the number of the version that was there at a moment, -1 if there never was any.
func (h *history) at(moment int64) int {
	n := len(h.editions) - 1
	for n >= 0 && h.editions[n].seq >= moment {
		n--
	}
	return n
}

// ack notes that a version was acknowledged.
func (w *witness) ack(v *edition, seq int64) {
	h := w.history(v.key)
	if len(h.acks) > 0 && h.acks[len(h.acks)-1].n >= v.n {
		return
	}
	h.acks = append(h.acks, ack{seq, v.n})
}

// find finds the version that a look has shown.
func (w *witness) find(key string, b store.Base) *edition {
	w.mu.Lock()
	defer w.mu.Unlock()
	vs := w.history(key).editions
	for i := len(vs) - 1; i >= 0; i-- {
		v := vs[i]
		switch {
		case b.Absent() && v.deleted:
			return v
		case !b.Absent() && !v.deleted && v.info.Base().Same(b):
			return v
		}
	}
	return nil
}

// put is what somebody else writes; meta "" is an object without metadata.
func (w *witness) put(key, body, meta string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var p store.Props
	if meta != "" {
		p.Meta = map[string]string{"note": meta}
	}
	info := w.mem.PutForeignProps(key, body, p, "")
	(&recorder{w: w}).landed(context.Background(), key, info, nil)
}

// remove is what somebody else deletes.
func (w *witness) remove(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mem.DeleteForeign(key)
	(&recorder{w: w}).landed(context.Background(), key, store.Info{}, nil)
}

// kept tells whether a key is that of a conflict or recovered file, and of what.
func kept(key string) (of, kind string) {
	for _, kind := range []string{".conflict-", ".recovered-"} {
		if i := strings.Index(key, kind); i >= 0 {
			return key[:i], kind
		}
	}
	return "", ""
}
