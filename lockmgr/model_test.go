package lockmgr_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// An exhaustive search of the lock protocol's design (LOCKS, "What the model showed"): two
// clients, one lock record, sessions that may be killed at any moment, and requests that may
// be delayed, lost with or without effect, and sent twice. The variants that differ from
// the design in one point must be found broken, or the search proves nothing.

// A variant is the design with at most one mistake in it.
type variant struct {
	name string
	// Mistakes.
	acquireBySession bool // an acquisition recognises itself by session instead of by nonce
	releaseBySession bool // a release is conditional on the session only
	releaseAlways    bool // a release has no condition
	recallBySession  bool // the orphan clean-up deletes by session, not by the nonce seen
	noRecall         bool // there is no orphan clean-up

	uses   [2]int // how often each client uses the lock
	nonces int
	kills  int
	finds  string // what must be found; "" nothing
}

const (
	exclusion = "two live sessions hold the lock"
	stolen    = "a live holder's record is gone"
	orphan    = "nobody will release the record of a live session"
)

// The kinds of request.
const (
	acquire = iota + 1
	release
	steal
	recall
)

// The phases of a client.
const (
	idle = iota
	acquiring
	holding
	releasing
)

type message struct{ client, kind, session, nonce, seen uint8 }

type client struct{ phase, nonce, attempts, uses, session uint8 }

// A world is one state; it is comparable, and its messages are kept in order.
type world struct {
	session, nonce uint8 // of the record; 0: there is none
	alive          [6]bool
	clients        [2]client
	net            [14]message
	messages       uint8
	nextNonce      uint8
	nextSession    uint8
}

func (w *world) send(m message) {
	if int(w.messages) == len(w.net) {
		panic("more messages than the model has room for")
	}
	w.net[w.messages] = m
	w.messages++
	w.sort()
}

func (w *world) take(i int) message {
	m := w.net[i]
	w.messages--
	w.net[i] = w.net[w.messages]
	w.net[w.messages] = message{}
	w.sort()
	return m
}

func (w *world) sort() {
	slices.SortFunc(w.net[:w.messages], func(a, b message) int {
		return int(a.pack()) - int(b.pack())
	})
}

func (m message) pack() uint32 {
	return uint32(m.client)<<16 | uint32(m.kind)<<12 | uint32(m.session)<<8 | uint32(m.nonce)<<4 | uint32(m.seen)
}

type step struct {
	from world
	what string
}

// explore visits every state of the variant and returns the shortest way to each finding.
func explore(v variant) (findings map[string]string, states int) {
	findings = make(map[string]string)
	first := world{nextNonce: 1, nextSession: 3}
	first.alive[1], first.alive[2] = true, true
	first.clients[0].session, first.clients[1].session = 1, 2
	came := map[world]step{first: {}}
	queue := []world{first}
	for len(queue) > 0 {
		w := queue[0]
		queue = queue[1:]
		for _, f := range v.judge(w) {
			if findings[f] == "" {
				findings[f] = path(came, w)
			}
		}
		v.successors(w, func(n world, what string) {
			if _, ok := came[n]; !ok {
				came[n] = step{w, what}
				queue = append(queue, n)
			}
		})
	}
	return findings, len(came)
}

func path(came map[world]step, w world) string {
	var steps []string
	for s := came[w]; s.what != ""; s = came[s.from] {
		steps = append(steps, s.what)
	}
	slices.Reverse(steps)
	return strings.Join(steps, "\n  ")
}

func (v variant) judge(w world) (findings []string) {
	holders := 0
	for _, c := range w.clients {
		if c.phase == holding && w.alive[c.session] {
			holders++
			if w.session != c.session {
				findings = append(findings, stolen)
			}
		}
	}
	if holders == 2 {
		findings = append(findings, exclusion)
	}
	if w.session != 0 && w.alive[w.session] && w.messages == 0 && v.noRecall {
		for i, c := range w.clients {
			if c.session == w.session && c.phase == idle && int(c.uses) >= v.uses[i] {
				findings = append(findings, orphan)
			}
		}
	}
	return findings
}

func (v variant) successors(w world, visit func(world, string)) {
	for i := range int(w.messages) {
		for _, fate := range []string{"answered", "answer lost", "dropped"} {
			n := w
			m := n.take(i)
			what := fmt.Sprintf("request %+v %s", m, fate)
			if fate != "dropped" {
				ok := v.apply(&n, m)
				if fate == "answered" {
					answer(&n, m, ok)
				}
			}
			visit(n, what)
		}
	}
	for i := range w.clients {
		v.act(w, uint8(i), visit)
	}
}

// apply is the lock table.
func (v variant) apply(w *world, m message) bool {
	var ok bool
	switch m.kind {
	case acquire:
		ok = w.session == 0 || v.acquireBySession && w.session == m.session || !v.acquireBySession && w.nonce == m.nonce
	case steal:
		ok = w.nonce == m.seen || w.nonce == m.nonce
	case release:
		ok = w.nonce == m.nonce || v.releaseBySession && w.session == m.session || v.releaseAlways
	case recall:
		ok = w.nonce == m.nonce || v.recallBySession && w.session == m.session
	}
	if m.kind == release || m.kind == recall {
		if ok {
			w.session, w.nonce = 0, 0
		}
		return ok || w.session == 0
	}
	if ok {
		w.session, w.nonce = m.session, m.nonce
	}
	return ok
}

// answer is what a client makes of an answer.
func answer(w *world, m message, ok bool) {
	c := &w.clients[m.client]
	if c.session != m.session || c.nonce != m.nonce {
		return
	}
	switch {
	case c.phase == acquiring && (m.kind == acquire || m.kind == steal):
		c.phase = holding
		if !ok {
			c.phase, c.attempts = idle, 0
		}
	case c.phase == releasing && m.kind == release:
		c.phase, c.attempts = idle, 0
		c.uses++
	}
}

// act is everything a client may do by itself, and what others may do to its session.
func (v variant) act(w world, i uint8, visit func(world, string)) {
	c := w.clients[i]
	name := string("AB"[i])
	do := func(what string, f func(n *world, c *client)) {
		n := w
		f(&n, &n.clients[i])
		visit(n, name+" "+what)
	}
	switch c.phase {
	case idle:
		if int(c.uses) < v.uses[i] && int(w.nextNonce) <= v.nonces {
			begin := func(kind, seen uint8) func(n *world, c *client) {
				return func(n *world, c *client) {
					c.nonce, c.phase, c.attempts = n.nextNonce, acquiring, 1
					n.nextNonce++
					n.send(message{i, kind, c.session, c.nonce, seen})
				}
			}
			do("acquires", begin(acquire, 0))
			if w.session != 0 && w.session != c.session && !w.alive[w.session] {
				do("steals from a dead session", begin(steal, w.nonce))
			}
		}
		underWay := slices.ContainsFunc(w.net[:w.messages], func(m message) bool { return m.kind == recall })
		if !v.noRecall && w.session == c.session && !underWay {
			do("removes an orphan", func(n *world, c *client) { n.send(message{i, recall, c.session, n.nonce, 0}) })
		}
	case acquiring:
		if c.attempts < 2 {
			do("acquires again", func(n *world, c *client) {
				c.attempts++
				n.send(message{i, acquire, c.session, c.nonce, 0})
			})
		} else {
			do("gives up", func(n *world, c *client) {
				c.phase, c.attempts = idle, 0
				c.uses++
			})
		}
	case holding:
		do("releases", func(n *world, c *client) {
			c.phase, c.attempts = releasing, 1
			n.send(message{i, release, c.session, c.nonce, 0})
		})
	case releasing:
		if c.attempts < 2 {
			do("releases again", func(n *world, c *client) {
				c.attempts++
				n.send(message{i, release, c.session, c.nonce, 0})
			})
		} else {
			do("gives the release up", func(n *world, c *client) {
				c.phase, c.attempts = idle, 0
				c.uses++
			})
		}
	}
	if int(w.nextSession) < 3+v.kills {
		if w.alive[c.session] && w.session == c.session {
			do("is declared dead", func(n *world, c *client) { n.alive[c.session] = false })
		}
		if !w.alive[c.session] {
			do("makes a new session", func(n *world, c *client) {
				*c = client{uses: c.uses, session: n.nextSession}
				n.alive[n.nextSession] = true
				n.nextSession++
			})
		}
	}
}

func TestModel(t *testing.T) {
	for _, v := range []variant{
		{name: "L1 no orphan clean-up", noRecall: true, uses: [2]int{2, 1}, nonces: 3, finds: orphan},
		{name: "L2 the design", uses: [2]int{2, 1}, nonces: 3},
		{name: "L3 release by session", releaseBySession: true, noRecall: true, uses: [2]int{2, 1}, nonces: 3, finds: exclusion},
		{name: "L4 release always", releaseAlways: true, noRecall: true, uses: [2]int{1, 1}, nonces: 2, finds: stolen},
		{name: "L5 acquire by session", acquireBySession: true, noRecall: true, uses: [2]int{2, 1}, nonces: 3, finds: exclusion},
		{name: "L6 clean-up by session", recallBySession: true, uses: [2]int{2, 1}, nonces: 3, finds: exclusion},
		{name: "L7 the design, with a death", uses: [2]int{1, 1}, nonces: 3, kills: 1},
	} {
		t.Run(v.name, func(t *testing.T) {
			found, states := explore(v)
			t.Logf("%d states", states)
			for f, way := range found {
				if v.finds == "" {
					t.Errorf("%s:\n  %s", f, way)
				}
			}
			if v.finds != "" && found[v.finds] == "" {
				t.Errorf("%q was not found", v.finds)
			}
		})
	}
}
