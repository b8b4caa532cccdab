package file

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// A draft is what one mount has of a file while it is live there: the version that it grew from
// and all that it was since, by plain rules and not by what the code under test says.
type draft struct {
	m     *mount
	f     *File
	live  *live // which life of the file; nil if it was over before anybody could look
	begun int64
	// at are the names under which a stage of it may land, and on which version. There are
	// two while it is renamed.
	at     []place
	stages []stage // the first is that of the base
	landed int     // newest stage that is in the bucket
	// attrs is the newest stage whose attributes a recovery has put on the landed one.
	attrs int
	// kept are the newest stages that are in a conflict and in a recovered file.
	conflict, recovered int
	// promised is the newest stage that a close or fsync has answered for, by saying that the
	// work goes on.
	promised int

	gone      bool   // its name was or may have been taken away on the same mount
	overwrote bool   // it landed without a lease over what nobody here had seen
	fine      int    // newest stage that landed before that
	overran   bool   // it landed over somebody else's version, which was told
	displaced bool   // it was taken back, since its directory has become a file
	told      bool   // a conflict was told to somebody who wrote
	refused   bool   // the bucket did not take it, and whoever asked was told
	unlinking bool   // its name was about to be taken away when its mount died
	ended     int64  // the moment of that
	over      string // how the life ended: "", "idle", "conflicted", "unlinked", "parked" or "killed"
}

// A place is a name with the version on which a draft lands there.
type place struct {
	key  string
	base *edition
}

// A stage is what a draft was from one moment on.
type stage struct {
	from  int64 // the earliest moment
	seq   int64 // the latest moment at which it began
	body  string
	mode  uint32
	mtime time.Time
	// bytes: its bytes were changed, not only its attributes.
	bytes bool
	// maybe: whoever made it was not told that it was accepted.
	maybe bool
	// owed: it was made through a descriptor, whose close answers for it.
	owed bool
}

func (d *draft) String() string {
	return fmt.Sprintf("draft of %s on %s, %d stages, %d landed, %s", d.at[0].key, d.m.name, len(d.stages), d.landed, d.over)
}

// newDraft begins a draft on a version.
func (w *witness) newDraft(m *mount, f *File, l *live, key string, base *edition) *draft {
	d := &draft{m: m, f: f, live: l, begun: w.now(), at: []place{{key, base}}}
	first := stage{seq: d.begun}
	if base.there() {
		first.body, first.mode, first.mtime = base.body, base.attr.Mode, base.attr.Mtime
	}
	d.stages = []stage{first}
	w.drafts = append(w.drafts, d)
	if l != nil {
		w.byLive[l] = d
	}
	return d
}

func (d *draft) last() *stage { return &d.stages[len(d.stages)-1] }

// become adds a stage that began at a moment from the given one on, and returns its number.
func (d *draft) become(w *witness, s stage, from int64) int {
	s.seq = w.now()
	s.from = min(from, s.seq)
	d.stages = append(d.stages, s)
	return len(d.stages) - 1
}

// atOnce is that of a stage that begins now.
const atOnce = math.MaxInt64

// write is what a write at off makes of a content.
func (s stage) write(text string, off int, at time.Time) stage {
	body := []byte(s.body)
	if n := off + len(text); n > len(body) {
		body = append(body, make([]byte, n-len(body))...)
	}
	copy(body[off:], text)
	s.body, s.mtime, s.bytes, s.maybe, s.owed = string(body), at, true, false, true
	return s
}

// truncate is what another size makes of it.
func (s stage) truncate(size int, at time.Time) stage {
	body := s.body[:min(size, len(s.body))]
	s.body, s.mtime, s.bytes, s.maybe = body+strings.Repeat("\x00", size-len(body)), at, true, false
	s.owed = false
	return s
}

func (s stage) chmod(mode uint32) stage {
	s.mode = s.mode&ModeType | mode&modePerm
	s.bytes, s.maybe, s.owed = false, false, false
	return s
}

// change is what SETATTR makes of it, and whether that is anything else.
func (s stage) change(c Change, at time.Time) (changed stage, other bool) {
	if c.Size != nil && int(*c.Size) != len(s.body) {
		s, other = s.truncate(int(*c.Size), at), true
	}
	if c.Mode != nil && s.mode&modePerm != *c.Mode {
		bytes := s.bytes && other
		s, other = s.chmod(*c.Mode), true
		s.bytes = bytes
	}
	return s, other
}

// is tells whether a version is this stage.
func (s *stage) is(v *edition) bool {
	return v.body == s.body && v.attr.Mode == s.mode && v.attr.Mtime.Equal(s.mtime)
}

// find returns the newest stage from the given one on that a version is, -1 if there is none.
func (d *draft) find(v *edition, from int) int {
	for j := len(d.stages) - 1; j >= from; j-- {
		if d.stages[j].is(v) {
			return j
		}
	}
	return -1
}

// unanswered returns the stage that an edition is of a draft as a call makes it that was not
// answered yet, or will never be. test compares it.
func (w *witness) unanswered(d *draft, v *edition, test func(*stage) bool) int {
	for _, o := range w.changes {
		if o.applied || o.m != d.m || !o.lasts(v.seq) || d.over != "" && d.ended < o.start || o.end != 0 && o.end < d.begun {
			continue
		}
		if _, ok := d.place(o.key); !ok {
			continue
		}
		if s, other := d.last().change(*o.change, v.attr.Mtime); other && test(&s) {
			o.applied = true
			return d.become(w, s, o.start)
		}
	}
	return -1
}

// place returns where the draft lands under a key.
func (d *draft) place(key string) (place, bool) {
	for _, p := range d.at {
		if p.key == key {
			return p, true
		}
	}
	return place{}, false
}

// dropped tells whether what the bucket has refused of the draft is forgotten: nobody had made it
// through a descriptor, and who had asked for it by name was told that it has not happened.
func (d *draft) dropped() bool {
	return d.over == "parked" && !slices.ContainsFunc(d.stages[d.landed+1:], func(s stage) bool { return s.owed })
}

// named tells whether the draft has its names, as far as is known.
func (d *draft) named() bool { return d.over == "" || d.over == "killed" }

// leave takes a name from the draft.
func (d *draft) leave(key string) {
	d.at = slices.DeleteFunc(d.at, func(p place) bool { return p.key == key })
}

// unsaved tells whether the stages behind from, up to the given one, have bytes that somebody
// can miss: a file that was only created has none.
func (d *draft) unsaved(from, upto int) bool {
	bytes := false
	for j := from + 1; j <= upto; j++ {
		bytes = bytes || d.stages[j].bytes && !d.stages[j].maybe
	}
	return bytes && !(!d.at[0].base.there() && d.landed == 0 && d.stages[upto].body == "")
}

// local tells whether the spool has bytes of the last stage: a truncation alone has none.
func (d *draft) local() bool {
	old := d.stages[max(d.landed, 0)].body
	now := strings.TrimRight(d.last().body, "\x00")
	return !strings.HasPrefix(old, now)
}

// safe tells whether the last stage that has to be somewhere is.
func (d *draft) safe() bool {
	last := len(d.stages) - 1
	for last > 0 && d.stages[last].maybe {
		last--
	}
	return max(d.landed, d.conflict, d.recovered) >= last
}
