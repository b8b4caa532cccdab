package volume

import (
	"fmt"
	"testing"
)

// This is `init --rebind` on paper (LOCKS P1): every order is tried in which two mounts begin, lock, lose touch and come
// back, while two people bind the bucket to another table, are cut off and begin anew. What takes time
// is a step that comes no earlier than time allows. The weaker variants have to be found broken.

// A rebindRule is one variant.
type rebindRule struct {
	trusting      bool // a mount does not read the bond again when its session is in the table
	early         bool // it reads it again before its session is there
	mild          bool // it begins to lock beside the fence of one who sees the table
	mute          bool // it does not read it as long as it lives
	heedless      bool // it goes on at the fence of one who does not see its table
	drowsy        bool // a host that was suspended goes on by its heartbeat alone
	unfenced      bool // there is no fence
	lookFirst     bool // sessions are looked for before the fence stands
	merciful      bool // sessions that do not beat are not declared dead
	hasty         bool // who does not see the table does not wait until all have read
	heir          bool // who begins anew goes on with the fence that is there
	unconditional bool // the new bond is written whoever's fence stands
}

// The phases of a mount.
const (
	outside = iota
	hasRead // the bond
	hasAsked
	hasPut // its session
	locks
)

// The phases of one who binds the bucket.
const (
	away = iota
	hasFence
	hasLooked
	hasEmptied
)

type rebindMount struct {
	phase, table int8
	alive        bool // its session, in that table
	valid        bool // its lease
	asked        bool // it has read the bond since the last fence was written
}

type rebinder struct {
	phase, id int8
	sees      bool // the old table
	listed    int8 // sessions, as bits
}

// A rebindScene is the state of everything. The tables are 1 and 2.
type rebindScene struct {
	table, fence int8 // of the bond
	blind        bool
	mounts       [2]rebindMount
	people       [2]rebinder
	runs         int8
}

const mostRuns = 3

func (r rebindRule) explore() (found string, scenes, stuck int) {
	type origin struct {
		from int
		what string
	}
	first := rebindScene{table: 1}
	all, origins, known := []rebindScene{first}, []origin{{}}, map[rebindScene]int{first: 0}
	before := [][]int{nil} // of each scene, those that lead to it
	for i := 0; i < len(all); i++ {
		if a, b := all[i].mounts[0], all[i].mounts[1]; a.valid && b.valid && a.table != b.table {
			for at := i; at > 0; at = origins[at].from {
				found = origins[at].what + ", " + found
			}
			return found, len(all), 0
		}
		r.steps(all[i], func(s rebindScene, what string) {
			at, ok := known[s]
			if !ok {
				at = len(all)
				known[s] = at
				all, origins, before = append(all, s), append(origins, origin{i, what}), append(before, nil)
			}
			before[at] = append(before[at], i)
		})
	}
	// From everywhere the bucket can be bound, as long as somebody tries.
	ends := make([]bool, len(all))
	var queue []int
	for i, s := range all {
		if s.table == 2 && s.fence == 0 {
			ends[i] = true
			queue = append(queue, i)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, i := range before[queue[0]] {
			if !ends[i] {
				ends[i] = true
				queue = append(queue, i)
			}
		}
	}
	for i, s := range all {
		if !ends[i] && s.runs < mostRuns {
			stuck++
		}
	}
	return found, len(all), stuck
}

func (r rebindRule) steps(s rebindScene, visit func(rebindScene, string)) {
	for i := range s.mounts {
		r.mount(s, i, func(n rebindScene, what string) { visit(n, fmt.Sprintf("mount %d %s", i, what)) })
	}
	for i := range s.people {
		r.rebind(s, i, func(n rebindScene, what string) { visit(n, fmt.Sprintf("%d %s", i, what)) })
	}
	if s.fence != 0 {
		n := s
		n.fence, n.blind = 0, false
		visit(n, "somebody removes the fence")
	}
}

func (r rebindRule) mount(s rebindScene, i int, visit func(rebindScene, string)) {
	do := func(what string, f func(n *rebindScene, m *rebindMount)) {
		n := s
		f(&n, &n.mounts[i])
		visit(n, what)
	}
	m := s.mounts[i]
	begins := m.table == s.table && (s.fence == 0 || r.mild && !s.blind)
	goesOn := m.table == s.table && (s.fence == 0 || !s.blind || r.heedless)
	ends := func(_ *rebindScene, m *rebindMount) { m.valid, m.phase = false, hasRead } // and would begin anew
	switch m.phase {
	case outside:
		if s.fence == 0 {
			do("reads the bond", func(n *rebindScene, m *rebindMount) { m.phase, m.table = hasRead, n.table })
		}
	case hasRead:
		do("ends", func(_ *rebindScene, m *rebindMount) { *m = rebindMount{} })
		if r.early && begins {
			do("reads it again", func(_ *rebindScene, m *rebindMount) { m.phase, m.asked = hasAsked, true })
		}
		if !r.early {
			do("puts its session", func(_ *rebindScene, m *rebindMount) { m.phase, m.alive = hasPut, true })
		}
	case hasAsked:
		do("puts its session and locks", func(_ *rebindScene, m *rebindMount) { m.phase, m.alive, m.valid = locks, true, true })
	case hasPut:
		switch {
		case !m.alive:
			do("finds its session dead", ends)
		case begins || r.trusting:
			do("reads the bond and locks", func(_ *rebindScene, m *rebindMount) { m.phase, m.valid, m.asked = locks, true, !r.trusting })
		default:
			do("is refused", func(_ *rebindScene, m *rebindMount) { *m = rebindMount{} })
		}
	case locks:
		if m.valid {
			do("is suspended, or cut off", func(_ *rebindScene, m *rebindMount) { m.valid = false })
		}
		switch {
		case !m.alive:
			if !m.valid {
				do("finds its session dead", ends)
			}
		case !m.valid && r.drowsy:
			do("comes back", func(_ *rebindScene, m *rebindMount) { m.valid = true })
		case r.mute && m.valid:
		case goesOn || r.mute:
			do("asks", func(_ *rebindScene, m *rebindMount) { m.valid, m.asked = true, true })
		default:
			do("asks, and stops", ends)
		}
	}
}

func (r rebindRule) rebind(s rebindScene, i int, visit func(rebindScene, string)) {
	do := func(what string, f func(n *rebindScene, p *rebinder)) {
		n := s
		f(&n, &n.people[i])
		visit(n, what)
	}
	look := func(n *rebindScene, p *rebinder) {
		for j, m := range n.mounts {
			if m.alive && m.table == 1 {
				p.listed |= 1 << j
			}
		}
	}
	p := s.people[i]
	ours := s.fence == p.id || r.unfenced
	if p.phase != away {
		do("dies", func(n *rebindScene, p *rebinder) { *p = rebinder{} })
		if ours && !r.unfenced {
			do("gives up", func(n *rebindScene, p *rebinder) { n.fence, n.blind, *p = 0, false, rebinder{} })
		}
	}
	switch p.phase {
	case away:
		if s.table == 2 || s.runs == mostRuns {
			return
		}
		for _, sees := range []bool{true, false} {
			do(fmt.Sprintf("writes its fence, sees the table: %v", sees), func(n *rebindScene, p *rebinder) {
				n.runs++
				*p = rebinder{phase: hasFence, id: n.runs, sees: sees}
				switch {
				case r.unfenced:
				case r.heir && n.fence != 0:
					p.id = n.fence
				case r.lookFirst && sees:
					look(n, p)
					p.phase = hasLooked // and the fence comes then
				default:
					n.fence, n.blind = n.runs, !sees
					n.mounts[0].asked, n.mounts[1].asked = false, false
				}
			})
		}
	case hasFence:
		if p.sees {
			do("looks for sessions", func(n *rebindScene, p *rebinder) { p.phase = hasLooked; look(n, p) })
			return
		}
		for _, m := range s.mounts {
			// The time is over when all who have a valid lease have read the bond since.
			if m.valid && m.table == 1 && !m.asked && !r.hasty && !r.mute {
				return
			}
		}
		do("has waited", func(n *rebindScene, p *rebinder) { p.phase = hasEmptied })
	case hasLooked:
		if r.lookFirst && s.fence != p.id {
			do("writes its fence after it has looked", func(n *rebindScene, p *rebinder) { n.fence, n.blind = p.id, false })
			return
		}
		for j, m := range s.mounts {
			if p.listed>>j&1 == 0 {
				continue
			}
			if m.valid && m.table == 1 {
				return // it beats: there is nothing but to give up
			}
			do("finds one silent", func(n *rebindScene, p *rebinder) {
				p.listed &^= 1 << j
				if n.mounts[j].table == 1 && !r.merciful {
					n.mounts[j].alive = false
				}
			})
			return
		}
		do("has waited", func(n *rebindScene, p *rebinder) { p.phase = hasEmptied })
	case hasEmptied:
		if ours || r.unconditional {
			do("writes the new bond", func(n *rebindScene, p *rebinder) {
				n.table, n.fence, n.blind, *p = 2, 0, false, rebinder{}
			})
		}
	}
}

func TestRebindModel(t *testing.T) {
	found, scenes, stuck := rebindRule{}.explore()
	t.Logf("%d scenes", scenes)
	if found != "" {
		t.Errorf("two mounts lock in two tables: %s", found)
	}
	if stuck != 0 {
		t.Errorf("from %d scenes the bucket cannot be bound any more", stuck)
	}
	for name, r := range map[string]rebindRule{
		"trusting": {trusting: true}, "early": {early: true}, "mild": {mild: true}, "mute": {mute: true}, "heedless": {heedless: true}, "drowsy": {drowsy: true},
		"unfenced": {unfenced: true}, "lookFirst": {lookFirst: true}, "merciful": {merciful: true}, "hasty": {hasty: true},
		"heir": {heir: true}, "unconditional": {unconditional: true},
	} {
		t.Run(name, func(t *testing.T) {
			if found, scenes, _ := r.explore(); found == "" {
				t.Errorf("nothing is found in %d scenes", scenes)
			} else {
				t.Log(found)
			}
		})
	}
}
