//go:build !soak

package file

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

var (
	modelSeed  = flag.Uint64("model.seed", 0, "run this seed of the random model only")
	modelSeeds = flag.Uint64("model.seeds", 300, "number of seeds of the random model")
)

// A model is what the files of two hosts and a foreign writer must be, by plain rules:
//
//   - one host at a time has a name open for write; its handles share one content;
//   - a close or fsync that returned nil left exactly that content in the bucket;
//   - over a version that its author did not see nothing is written: the content goes
//     into a conflict file, and every version that anybody wrote stays in the chain.
type model struct {
	t     *testing.T
	r     *rand.Rand
	b     *bucket
	hosts []*host
	files map[string]*modelFile // that are open for write, by key
	open  []*modelHandle
	log   []string
}

// A modelFile is one file that a host has open for write.
type modelFile struct {
	host  *host
	key   string
	data  []byte
	base  string // version id in the bucket, "" if absent
	first string // base when it was opened
	dirty bool
	state fate
	n     int // open write handles
}

// A fate is what became of a modelFile.
type fate int

const (
	Named fate = iota // it is under its name
	Unlinked
	Conflicted
)

type modelHandle struct {
	*Handle
	host    *host
	file    *modelFile // nil: reads the fixed content
	text    string     // what it reads without a file, of version
	version string
	how     string
}

// Random operations on two hosts and by a foreign writer, checked after each step.
func TestModel(t *testing.T) {
	seeds := *modelSeeds
	for seed := range seeds {
		if *modelSeed != 0 {
			seed = *modelSeed
		}
		ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, l := newBucket(), newLockTable()
				m := &model{t: t, r: rand.New(rand.NewPCG(seed, 7)), b: b, files: map[string]*modelFile{}}
				defer func() {
					if t.Failed() {
						t.Logf("-model.seed=%d\n%q", seed, m.log)
					}
				}()
				m.hosts = []*host{newHost(t, b, l), newHost(t, b, l)}
				for step := 0; step < 60 && !t.Failed(); step++ {
					m.step()
				}
				for len(m.open) > 0 && !t.Failed() {
					m.close(m.open[0])
				}
				synctest.Wait()
				m.end(l)
				for _, h := range m.hosts {
					h.stop()
				}
			})
		})
		if !ok || *modelSeed != 0 {
			return
		}
	}
}

func (m *model) logf(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

func (m *model) key() string { return string(rune('a' + m.r.IntN(3))) }

func (m *model) text() string {
	return fmt.Sprintf("<%d:%s>", len(m.log), "................"[:m.r.IntN(16)])
}

func (m *model) step() {
	time.Sleep(1500 * time.Millisecond) // two moments have two mtimes
	key, h := m.key(), m.hosts[m.r.IntN(2)]
	switch n := m.r.IntN(20); {
	case n < 6:
		m.openSome(h, key)
	case n < 7:
		text := m.text()
		m.logf("foreign put %s %s", key, text)
		m.b.put(key, text)
	case n < 8:
		if m.b.get(key) != "-" {
			m.logf("foreign delete %s", key)
			m.b.remove(key)
		}
	case n < 9:
		m.unlink(h, key)
	case n < 10:
		m.chmod(h, key)
	case n < 12:
		if to := m.key(); to != key {
			m.rename(h, key, to)
		}
	case len(m.open) > 0:
		x := m.open[m.r.IntN(len(m.open))]
		switch n := m.r.IntN(10); {
		case n < 4:
			m.write(x)
		case n < 6:
			m.read(x)
		case n < 7:
			m.sync(x)
		default:
			m.close(x)
		}
	}
	synctest.Wait()
	for _, h := range m.hosts {
		h.check()
	}
}

func (m *model) openSome(h *host, key string) {
	how := []string{"r", "r+", "a", "w", "c"}[m.r.IntN(5)]
	m.logf("open %s %s on %d", key, how, slices.Index(m.hosts, h))
	x, err := h.tryOpen(key, how)
	live := m.files[key]
	there := m.b.get(key) != "-"
	mine := live != nil && live.host == h
	var held *lockmgr.HeldError
	switch {
	case how != "r" && live != nil && !mine:
		if !errors.As(err, &held) {
			m.t.Fatalf("open of a file that is open for write elsewhere: %v", err)
		}
	case how == "c" && (mine && (live.base != "" || live.dirty) || !mine && there):
		if !errors.Is(err, fs.ErrExist) {
			m.t.Fatalf("create over a file: %v", err)
		}
	case how != "c" && !mine && !there:
		if !errors.Is(err, store.ErrNotFound) {
			m.t.Fatalf("open of nothing: %v", err)
		}
	case err != nil:
		m.t.Fatalf("open: %v", err)
	default:
		m.opened(h, key, how, x)
	}
}

// opened notes an open that succeeded.
func (m *model) opened(h *host, key, how string, x *Handle) {
	live := m.files[key]
	mh := &modelHandle{Handle: x, host: h, how: how}
	m.open = append(m.open, mh)
	if how == "r" && (live == nil || live.host != h) {
		mh.text, mh.version = m.b.get(key), m.version(key)
		return
	}
	if live == nil {
		live = &modelFile{host: h, key: key}
		if text := m.b.get(key); text != "-" {
			live.data, live.base = []byte(text), m.version(key)
			live.first = live.base
		}
		m.files[key] = live
	}
	mh.file = live
	if how == "r" {
		return
	}
	live.n++
	if how == "w" && len(live.data) > 0 {
		live.data = nil
		m.changed(live)
	}
	if how == "w" || how == "c" {
		live.dirty = true
	}
}

// changed makes every handle of the file's host follow it.
func (m *model) changed(f *modelFile) {
	f.dirty = true
	for _, x := range m.open {
		if x.host == f.host && x.file == nil && f.first != "" && x.version == f.first {
			x.file = f
		}
	}
}

func (m *model) version(key string) string { return m.b.info(key).VersionID }

func (m *model) write(x *modelHandle) {
	if x.how == "r" {
		return
	}
	f, text := x.file, m.text()
	off := int64(m.r.IntN(30))
	m.logf("write %s %s at %d (%s)", f.key, text, off, x.how)
	n, err := x.Write([]byte(text), off)
	if f.state == Conflicted {
		if !errors.Is(err, ErrConflicted) {
			m.t.Fatalf("write after a conflict: %v", err)
		}
		return
	}
	if n != len(text) || err != nil {
		m.t.Fatalf("write: %d, %v", n, err)
	}
	if x.how == "a" {
		off = int64(len(f.data))
	}
	for int64(len(f.data)) < off+int64(len(text)) {
		f.data = append(f.data, 0)
	}
	copy(f.data[off:], text)
	m.changed(f)
}

func (m *model) read(x *modelHandle) {
	if x.how == "w" || x.how == "a" {
		return
	}
	want := x.text
	if x.file != nil {
		want = string(x.file.data)
	}
	if got := x.host.read(x.Handle); got != want {
		m.t.Fatalf("%s reads %q, want %q", x.how, got, want)
	}
}

// saved judges the answer of a close or fsync; foreign tells whether another version than
// the base was there before.
func (m *model) saved(f *modelFile, foreign bool, err error, what string) {
	switch {
	case f.state == Unlinked:
		if err != nil {
			m.t.Fatalf("%s of an unlinked file: %v", what, err)
		}
	case f.state == Conflicted:
		return
	case !f.dirty:
		if err != nil {
			m.t.Fatalf("%s of a clean file: %v", what, err)
		}
	case foreign:
		var c *ConflictError
		if !errors.As(err, &c) {
			m.t.Fatalf("%s over a foreign version: %v", what, err)
		}
		if kept := m.b.get(c.Kept); c.Kept != "" && kept != string(f.data) || c.Kept == "" && len(f.data) > 0 && f.base == "" {
			m.t.Fatalf("kept %q in %q, want %q", kept, c.Kept, f.data)
		}
		f.state = Conflicted
		delete(m.files, f.key)
	default:
		if err != nil || m.b.get(f.key) != string(f.data) {
			m.t.Fatalf("%s: %v, bucket has %q, want %q", what, err, m.b.get(f.key), f.data)
		}
		f.base, f.dirty = m.version(f.key), false
	}
}

// sameETag: the limit of G1, the same bytes put back are not seen.
func (m *model) sameETag(f *modelFile) bool {
	now := m.b.info(f.key)
	if now.ETag == "" || f.base == "" {
		return now.ETag == "" && f.base == ""
	}
	for _, v := range m.b.mem.History(f.key) {
		if v.Info.VersionID == f.base {
			return v.Info.ETag == now.ETag
		}
	}
	return false
}

func (m *model) sync(x *modelHandle) {
	if x.how == "r" {
		return
	}
	m.logf("fsync %s", x.file.key)
	foreign := !m.sameETag(x.file)
	m.saved(x.file, foreign, x.Sync(context.Background()), "fsync")
}

func (m *model) close(x *modelHandle) {
	m.open = slices.DeleteFunc(m.open, func(o *modelHandle) bool { return o == x })
	if x.how == "r" {
		m.logf("close %s", x.Key())
		if err := x.host.close(x.Handle); err != nil {
			m.t.Fatalf("close of a reader: %v", err)
		}
		return
	}
	f := x.file
	m.logf("close %s (%s)", f.key, x.how)
	foreign := !m.sameETag(f)
	err := x.host.close(x.Handle)
	m.saved(f, foreign, err, "close")
	if f.n--; f.n == 0 {
		if m.files[f.key] == f {
			delete(m.files, f.key)
			for _, o := range m.open {
				switch {
				case o.file == f: // they read what it has become
					o.file, o.text, o.version = nil, string(f.data), f.base
				case o.host == f.host && o.file == nil && f.first != "" && o.version == f.first:
					o.version = f.base // only attributes changed
				}
			}
		}
		synctest.Wait()
	}
}

func (m *model) unlink(h *host, key string) {
	m.logf("unlink %s", key)
	err := h.Unlink(context.Background(), key, nil)
	live := m.files[key]
	var held *lockmgr.HeldError
	switch {
	case live != nil && live.host != h:
		if !errors.As(err, &held) {
			m.t.Fatalf("unlink of a file that is open for write elsewhere: %v", err)
		}
	case live != nil && live.base == "" && live.dirty:
		if err != nil {
			m.t.Fatalf("unlink of a file that is only here: %v", err)
		}
		live.state = Unlinked
		delete(m.files, key)
	case live != nil && m.version(key) != live.base && !errors.Is(err, ErrStale) && m.b.get(key) != "-":
		m.t.Fatalf("unlink over a foreign version: %v", err)
	case err == nil:
		if m.b.get(key) != "-" {
			m.t.Fatal("unlinked, and still there")
		}
		if live != nil {
			live.state = Unlinked
			delete(m.files, key)
		}
	case !errors.Is(err, store.ErrNotFound) && !errors.Is(err, ErrStale):
		m.t.Fatalf("unlink: %v", err)
	default:
		m.foundOut(live)
	}
}

// foundOut notes that a change of names came to nothing because of what somebody else made of
// the name of a file that is open for write.
func (m *model) foundOut(f *modelFile) {
	if f != nil && m.version(f.key) != f.base {
		f.state = Conflicted
		delete(m.files, f.key)
	}
}

func (m *model) rename(h *host, from, to string) {
	m.logf("rename %s %s on %d", from, to, slices.Index(m.hosts, h))
	src, dst := m.files[from], m.files[to]
	elsewhere := src != nil && src.host != h || dst != nil && dst.host != h
	foreign := src != nil && !m.sameETag(src)
	foreignDst := dst != nil && !m.sameETag(dst)
	before, over, version := m.b.get(from), m.b.get(to), m.version(from)
	err := h.Rename(context.Background(), from, to, false, nil)
	if src != nil && src.host == h && src.dirty && version != m.version(from) && err != nil {
		src.base, src.dirty = m.version(from), false // committed first, though it came to nothing
		foreign = false
	}
	var held *lockmgr.HeldError
	switch {
	case elsewhere:
		if !errors.As(err, &held) {
			if !errors.Is(err, ErrConflicted) || !foreign {
				m.t.Fatalf("rename with a name that is open for write elsewhere: %v", err)
			}
			src.state = Conflicted
			delete(m.files, from)
		}
	case src != nil && src.dirty && foreign:
		if !errors.Is(err, ErrConflicted) {
			m.t.Fatalf("rename of a dirty file over whose base somebody wrote: %v", err)
		}
		src.state = Conflicted
		delete(m.files, from)
	case src == nil && before == "-":
		if !errors.Is(err, store.ErrNotFound) {
			m.t.Fatalf("rename of nothing: %v", err)
		}
	case foreign || foreignDst:
		// If it was the source that somebody changed, the copy is made before that is seen.
		if now := m.b.get(to); !errors.Is(err, ErrStale) && !errors.Is(err, store.ErrNotFound) || now != over && (foreignDst || src == nil || now != string(src.data)) {
			m.t.Fatalf("rename over what nobody here has seen: %v, %q was %q", err, m.b.get(to), over)
		}
		m.foundOut(src)
		m.foundOut(dst)
	case err != nil:
		m.t.Fatalf("rename: %v", err)
	default:
		m.renamed(src, dst, from, to, before)
		if src != nil && src.first == version {
			src.first = m.version(to)
		}
		m.readersMoved(h, version, to)
	}
}

// renamed notes a rename that succeeded.
func (m *model) renamed(src, dst *modelFile, from, to, text string) {
	if dst != nil {
		dst.state = Unlinked
		delete(m.files, to)
	}
	if src != nil {
		text = string(src.data)
		src.key, src.dirty, src.base = to, false, m.version(to)
		delete(m.files, from)
		m.files[to] = src
	}
	if m.b.get(to) != text || m.b.get(from) != "-" {
		m.t.Fatalf("after the rename %q is %q and %q is %q, want %q", from, m.b.get(from), to, m.b.get(to), text)
	}
}

func (m *model) chmod(h *host, key string) {
	if m.files[key] != nil {
		return
	}
	mode := uint32(m.r.IntN(0o1000))
	before, version := m.b.get(key), m.version(key)
	m.logf("chmod %s on %d", key, slices.Index(m.hosts, h))
	a, err := h.SetAttr(context.Background(), key, Change{Mode: &mode})
	switch {
	case before == "-":
		if !errors.Is(err, store.ErrNotFound) {
			m.t.Fatalf("chmod of nothing: %v", err)
		}
	case err != nil || a.Mode != ModeRegular|mode || m.b.get(key) != before:
		m.t.Fatalf("chmod: %+v, %v, %q was %q", a, err, m.b.get(key), before)
	default:
		m.readersMoved(h, version, key)
	}
}

// readersMoved notes that the readers of a version on a host go on with the one that is under
// the key now: the bytes are the same.
func (m *model) readersMoved(h *host, version, key string) {
	for _, x := range m.open {
		if x.host == h && x.file == nil && x.version == version {
			x.version = m.version(key)
		}
	}
}

// end checks that nothing is left behind.
func (m *model) end(l *lockTable) {
	time.Sleep(staleLinger) // for a second try that nobody makes here
	synctest.Wait()
	for i, h := range m.hosts {
		if len(h.files) != 0 || h.spool.Used() != 0 {
			m.t.Errorf("host %d: %d files, %d bytes in the spool", i, len(h.files), h.spool.Used())
		}
	}
	if len(l.held) != 0 {
		m.t.Errorf("leases are left: %v", l.held)
	}
}
