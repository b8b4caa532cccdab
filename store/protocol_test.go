package store_test

import (
	"fmt"
	"slices"
)

// This is the commit protocol (LOCKS P3 to P5) on paper. Every order is tried in which the
// requests of two mounts and of a foreign writer can reach one key of a versioned bucket, with
// requests and answers that are late or lost. The ETag is the content: a write of the content
// that is there, which stands for a change of metadata alone, leaves it, and it can come back.

// A protocol is one variant of what the mounts A and B do.
type protocol struct {
	ops      [2]int8 // changes that they make at most
	foreign  int8    // writes of the foreigner
	contents int8
	upload   [2]bool // they write by multipart uploads, else by single requests
	leased   bool    // A works under the lease as B does; else it has lost it, and makes attempts without

	// Of the attempt without a lease:
	before  bool // a HEAD has to show the base's version id before it
	after   bool // the version right below it has to be the base
	changes bool // it changes the content
	fresh   bool // to one that A has not seen in this key

	wary  bool // B: the version right below ours has to be the base
	blind bool // nobody looks whether an upload is current after Complete
	early bool // an attempt without an answer is sent again while it may still land
	hasty bool // a lease is stolen while an attempt of its holder may still land: D does not cover its size

	ignored bool // the server ignores the conditions, and nothing goes around that
}

// What can go wrong with a change of which a mount was told that it is saved.
const (
	undoneByA  = 1 << iota // A replaced it, did not see it, and is told the same
	undoneByB              // B did
	lostTheirs             // A without a lease has replaced a foreign one so
	never                  // it never was the current version
	twice                  // it landed twice, or after its author was told how it ended
	needless               // A without a lease replaces it unseen, or a foreign one, though it was there before A began
	blindly                // it, or a foreign one, was replaced although its ETag was another one
)

var wrongs = []string{"undone by A", "undone by B", "theirs lost", "never current", "twice", "needless", "blindly"}

// An entry is a version in the history, at its place in time. The id tells whose it is.
type entry struct{ id, content, place int8 }

const numOps, firstForeign = 2, 10

func idOf(mount, op int8) int8 { return 1 + mount*numOps + op }

func authorOf(id int8) (mount, op int8, ours bool) {
	return (id - 1) / numOps, (id - 1) % numOps, id > 0 && id < firstForeign
}

// A wire is a request on its way; place is that of an upload.
type wire struct{ id, attempt, match, content, place int8 }

// The phases of a mount.
const (
	idle    = iota // between changes
	unasked        // it knows what to write, and looks first
	ready          // it may send
	begun          // its upload has begun
	waiting        // its attempt may be answered
	lost           // the connection is closed
	landed         // its version is there, perhaps below others
	visible        // and was seen to be the current one
	ended
)

type mount struct {
	phase, op, attempts  int8
	base, match          int8 // id and content of the version that it has seen last
	content, place       int8
	known                uint8 // contents that it has seen, as bits
	told, landings       [numOps]int8
	bases, starts, overs [numOps]int8 // versions: seen; current when it began; replaced
	covered              [numOps]bool // not current when it landed
}

const saved, failed = 1, 2 // what a mount is told of a change

// A moment is the state of everything.
type moment struct {
	history [9]entry
	n       int8 // versions
	clock   int8 // the last place that was given
	net     [4]wire
	mounts  [2]mount
	holder  int8 // of the lease, +1
	foreign int8 // writes so far
	wrong   uint8
}

func (m *moment) top() entry { return m.history[m.n-1] }
func (m *moment) index(id int8) int {
	return slices.IndexFunc(m.history[:m.n], func(e entry) bool { return e.id == id })
}

// add makes a version; place 0 is now.
func (m *moment) add(id, content, place int8) {
	if place == 0 {
		m.clock++
		place = m.clock
	}
	i := m.n
	for m.n++; m.history[i-1].place > place; i-- {
		m.history[i] = m.history[i-1]
	}
	m.history[i] = entry{id, content, place}
}

// flying tells whether a request of a mount can still land.
func (m *moment) flying(mount int8) bool {
	return slices.ContainsFunc(m.net[:], func(w wire) bool { return w.id != 0 && (w.id-1)/numOps == mount })
}

// explore goes through all moments. It gives what goes wrong, each with a shortest way there.
func (p *protocol) explore() (ways map[string]string, moments int) {
	type origin struct {
		from int
		what string
	}
	first := moment{n: 1, mounts: [2]mount{{known: 1}, {known: 1}}}
	all, origins, known := []moment{first}, []origin{{}}, map[moment]bool{first: true}
	ways = map[string]string{}
	for i := 0; i < len(all); i++ {
		for bit, name := range wrongs {
			if all[i].wrong>>bit&1 == 0 || ways[name] != "" {
				continue
			}
			way := origins[i].what
			for at := origins[i].from; at > 0; at = origins[at].from {
				way = origins[at].what + ", " + way
			}
			ways[name] = way
		}
		p.next(all[i], func(m moment, what string, who, of int8) {
			if !known[m] {
				known[m] = true
				all, origins = append(all, m), append(origins, origin{i, fmt.Sprintf("%c %s %d", "ABF"[who], what, of)})
			}
		})
	}
	return ways, len(all)
}

type then func(m moment, what string, who, of int8)

// next gives every moment that can follow, and what leads to it.
func (p *protocol) next(m moment, emit then) {
	for i, w := range m.net {
		if w.id != 0 {
			n := m
			n.net[i] = wire{}
			p.deliver(n, w, emit)
		}
	}
	for i := range int8(2) {
		p.step(m, i, emit)
	}
	for c := int8(0); c < p.contents && m.foreign < p.foreign; c++ {
		n := m
		n.add(firstForeign+n.foreign, c, 0)
		n.foreign++
		emit(n, "writes content", 2, c)
	}
}

// deliver lets a request be lost, or arrive with or without its answer getting back.
func (p *protocol) deliver(m moment, w wire, emit then) {
	i, op, _ := authorOf(w.id)
	emit(m, "loses request", i, w.id)
	me, over, answer := &m.mounts[i], m.top(), "is refused"
	if over.content == w.match || p.ignored {
		if over.content != w.match {
			m.wrong |= blindly
		}
		answer = "lands"
		m.add(w.id, w.content, w.place)
		if me.landings[op]++; me.landings[op] > 1 || me.told[op] != 0 {
			m.wrong |= twice
		}
		me.overs[op], me.covered[op] = over.id, m.top().id != w.id
		if p.unleased(i) && over.id != me.bases[op] && over.id == me.starts[op] {
			m.wrong |= needless
		}
	}
	emit(m, answer+" without an answer", i, w.id)
	if me.phase != waiting || me.op != op || me.attempts != w.attempt {
		return
	}
	p.goOn(&m, i, m.index(w.id) >= 0, p.arrive) // after a refusal it is looked up
	emit(m, answer, i, w.id)
}

func (p *protocol) unleased(mount int8) bool { return mount == 0 && !p.leased }

// step lets a mount go on.
func (p *protocol) step(m moment, i int8, emit then) {
	me := &m.mounts[i]
	id := idOf(i, me.op)
	switch me.phase {
	case idle:
		p.begin(m, i, emit)
	case unasked:
		me.phase = ready
		p.goOn(&m, i, m.top().id == me.base, func(*moment, int8) {})
		emit(m, "looks before", i, id)
	case ready, begun:
		what := "sends"
		if !p.unleased(i) && m.holder != i+1 {
			what = "has lost the lease and does not send"
			p.tell(&m, i, failed)
		} else if me.phase == ready && p.upload[i] {
			what = "begins upload"
			m.clock++
			me.phase, me.place = begun, m.clock
		} else {
			p.send(&m, i)
		}
		emit(m, what, i, id)
	case waiting:
		me.phase = lost
		emit(m, "gets no answer to", i, id)
	case lost:
		p.settle(m, i, emit)
	case landed:
		p.goOn(&m, i, m.top().id == id, p.current)
		emit(m, "looks which version is current after", i, id)
	case visible:
		p.goOn(&m, i, m.history[m.index(id)-1].id == me.base, p.save)
		emit(m, "looks what is below", i, id)
	}
}

// goOn is what a look leads to: a next step, or the end of the change.
func (p *protocol) goOn(m *moment, i int8, ok bool, next func(*moment, int8)) {
	if ok {
		next(m, i)
	} else {
		p.tell(m, i, failed)
	}
}

// begin takes the lease and looks, or goes on with what was seen under it.
func (p *protocol) begin(m moment, i int8, emit then) {
	me := &m.mounts[i]
	if me.op == p.ops[i] {
		return
	}
	if !p.unleased(i) {
		if m.holder != 0 && m.holder != i+1 && m.flying(m.holder-1) && !p.hasty {
			return // it is stolen only when nothing of its holder can land any more
		}
		m.holder = i + 1
		me.base, me.match = m.top().id, m.top().content
	}
	me.bases[me.op], me.starts[me.op] = me.base, m.top().id
	if me.phase = ready; p.unleased(i) && p.before {
		me.phase = unasked
	}
	for c := range p.contents {
		if p.unleased(i) && (p.changes && c == me.match || p.fresh && me.known>>c&1 == 1) {
			continue
		}
		n := m
		n.mounts[i].content = c
		emit(n, "begins to write content", i, c)
	}
}

func (p *protocol) send(m *moment, i int8) {
	me := &m.mounts[i]
	me.phase, me.attempts = waiting, me.attempts+1
	m.net[slices.Index(m.net[:], wire{})] = wire{idOf(i, me.op), me.attempts, me.match, me.content, me.place}
	// Moments that differ in where a request stands here alone are the same.
	slices.SortFunc(m.net[:], func(a, b wire) int { return int(b.id-a.id)*8 + int(b.attempt-a.attempt) })
}

// settle finds what has become of an attempt without an answer (LOCKS P4).
func (p *protocol) settle(m moment, i int8, emit then) {
	me := &m.mounts[i]
	id, dead := idOf(i, me.op), !m.flying(i)
	again := !p.unleased(i) && me.attempts < 2 && m.top().id == me.base && (dead || p.early)
	switch {
	case m.top().id == id, dead && m.index(id) >= 0:
		p.arrive(&m, i)
	case again && m.holder == i+1:
		p.send(&m, i)
	case dead:
		p.tell(&m, i, failed)
	default:
		return
	}
	emit(m, "looks for", i, id)
}

// arrive is when a mount knows that its version is in the history.
func (p *protocol) arrive(m *moment, i int8) {
	if m.mounts[i].phase = landed; !p.upload[i] || p.blind {
		p.current(m, i)
	}
}

// current is when a mount has reason to think that its version is the current one.
func (p *protocol) current(m *moment, i int8) {
	if m.mounts[i].phase = visible; !(p.unleased(i) && p.after || i == 1 && p.wary) {
		p.save(m, i)
	}
}

func (p *protocol) save(m *moment, i int8) {
	me := &m.mounts[i]
	me.base, me.match = idOf(i, me.op), me.content
	me.known |= 1 << me.content
	p.tell(m, i, saved)
}

// tell ends a change. A mount without a lease that has failed leaves it at that.
func (p *protocol) tell(m *moment, i, what int8) {
	me := &m.mounts[i]
	me.told[me.op] = what
	me.phase, me.attempts, me.place, me.content = idle, 0, 0, 0
	if me.op++; p.unleased(i) && what == failed {
		me.phase = ended
	}
	if m.holder == i+1 {
		m.holder = 0
	}
	for i := range m.mounts {
		p.judge(m, int8(i))
	}
}

func (p *protocol) judge(m *moment, i int8) {
	me := &m.mounts[i]
	for op := range me.op {
		over := me.overs[op]
		who, what, ours := authorOf(over)
		switch {
		case me.told[op] != saved:
		case me.covered[op]:
			m.wrong |= never
		case over == me.bases[op]:
		case over >= firstForeign && p.unleased(i):
			m.wrong |= lostTheirs // with a lease: the limit that LOCKS P7 states
		case ours && who != i && m.mounts[who].told[what] == saved:
			m.wrong |= undoneByA << i
		}
	}
}
