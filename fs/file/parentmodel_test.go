package file

import (
	"fmt"
	"strings"
	"testing"
)

// This is the rule of a name and its directory (LOCKS P2) on paper. Every order is tried in which
// hosts can make something in the directory "d/", remove the directory, make it, and make a
// file "d" of its name. The lease of "d" keeps the last three apart. What is made inside has
// another lease, so that nothing but looks at the bucket connects the two. A request that
// arrives late arrives as one step later, since its author waits for its outcome.

// parentRule is one variant of the rule.
type parentRule struct {
	unlooked  bool // a maker does not look at the directory after its write
	heedless  bool // it does not ask whether somebody has the lease of the directory's name
	hasty     bool // it asks that after it has looked for a file, not before
	careless  bool // it does not put back the marker that it had seen
	trusting  bool // who removes the directory does not look inside again
	unguarded bool // he gives the lease back before he does, and puts the marker back without it
	blind     bool // who makes a file looks for names inside, not for the marker
	unleased  bool // who has lost the lease makes a file all the same, and looks inside afterwards
}

// A role is what one host does.
type role int8

const (
	maker   role = iota // makes d/1 or d/2, by its place
	filer               // makes the file d
	remover             // removes the directory
	mkdirer             // makes it
)

var roleNames = []string{"maker", "filer", "remover", "mkdir"}

const told, no = 1, 2 // what a host is told: that it is done, or an error

// An actor is one host on its way.
type actor struct {
	step, told int8
	saw        bool // maker: the marker was there at the first look
	lost       bool // its lease was taken from it
}

// A scene is the state of everything.
type scene struct {
	file, marker bool
	inside       int8 // d/1 and d/2, as bits
	holder       int8 // of the lease of "d", +1
	actors       [3]actor
}

// explore goes through all scenes, and returns what goes wrong, each with a shortest way there.
func (r parentRule) explore(marker bool, roles []role) (ways map[string]string, scenes int) {
	type origin struct {
		from int
		what string
	}
	first := scene{marker: marker}
	all, origins, known := []scene{first}, []origin{{}}, map[scene]bool{first: true}
	ways = map[string]string{}
	for i := 0; i < len(all); i++ {
		if w := r.judge(all[i], roles); w != "" && ways[w] == "" {
			way := ""
			for at := i; at > 0; at = origins[at].from {
				way = origins[at].what + ", " + way
			}
			ways[w] = way
		}
		for who := range roles {
			r.step(all[i], int8(who), roles[who], func(s scene, what string) {
				if !known[s] {
					known[s] = true
					all, origins = append(all, s), append(origins, origin{i, fmt.Sprintf("%s %d %s", roleNames[roles[who]], who, what)})
				}
			})
		}
	}
	return ways, len(all)
}

// judge looks at a scene in which everybody is done.
func (r parentRule) judge(s scene, roles []role) string {
	saw := false
	for i, what := range roles {
		a := s.actors[i]
		switch {
		case a.told == 0:
			return ""
		case what == maker && a.told == told:
			saw = saw || a.saw
		case what == remover && a.lost:
			return "" // the stated limit: he could not put the marker back
		}
	}
	switch {
	case s.file && (s.inside != 0 || s.marker):
		return "both"
	case saw && s.inside != 0 && !s.marker:
		return "bare"
	}
	return ""
}

func (r parentRule) step(s scene, i int8, what role, emit func(scene, string)) {
	a := &s.actors[i]
	if a.told != 0 {
		return
	}
	if what == maker {
		r.make(s, i, emit)
		return
	}
	switch a.step {
	case 0:
		if s.holder == 0 {
			s.holder, a.step = i+1, 1
			emit(s, "takes the lease")
		}
		return
	default:
		if s.holder == i+1 {
			lost := s
			lost.holder, lost.actors[i].lost = 0, true
			emit(lost, "loses the lease")
		}
	}
	mine := s.holder == i+1
	done := func(told int8, say string) {
		if mine {
			s.holder = 0
		}
		a.told = told
		emit(s, say)
	}
	switch what {
	case filer:
		switch a.step {
		case 1:
			if s.file || s.inside != 0 || s.marker && !r.blind {
				done(no, "finds something")
				return
			}
			a.step = 2
			emit(s, "finds nothing")
		case 2:
			if !mine && !r.unleased {
				done(no, "may not send")
				return
			}
			if s.file {
				done(no, "is refused")
				return
			}
			s.file = true
			if !mine {
				a.step = 3
				emit(s, "makes the file without the lease")
				return
			}
			done(told, "makes the file")
		case 3:
			if s.inside != 0 || s.marker {
				s.file = false
				done(no, "finds something inside and removes the file")
				return
			}
			done(told, "finds nothing inside")
		}
	case mkdirer:
		switch a.step {
		case 1:
			if s.file || s.inside != 0 || s.marker {
				done(no, "finds something")
				return
			}
			a.step = 2
			emit(s, "finds nothing")
		case 2:
			if !mine || s.marker {
				done(no, "may not send")
				return
			}
			s.marker = true
			done(told, "makes the marker")
		}
	case remover:
		switch a.step {
		case 1:
			if s.inside != 0 || !s.marker {
				done(no, "finds it not empty, or gone")
				return
			}
			a.step = 2
			emit(s, "finds it empty")
		case 2:
			if !mine {
				done(no, "may not send")
				return
			}
			s.marker = false
			if r.trusting {
				done(told, "removes the marker")
				return
			}
			if a.step = 3; r.unguarded {
				s.holder = 0
			}
			emit(s, "removes the marker")
		case 3:
			if s.inside == 0 {
				done(told, "finds it still empty")
				return
			}
			a.step = 4
			emit(s, "finds something inside")
		case 4:
			if mine || r.unguarded {
				s.marker = true
			}
			done(no, "puts the marker back")
		}
	}
}

// make is what a maker does.
func (r parentRule) make(s scene, i int8, emit func(scene, string)) {
	a := &s.actors[i]
	mine := s.holder == i+1
	done := func(told int8, say string) {
		if mine {
			s.holder = 0
		}
		a.told = told
		emit(s, say)
	}
	undo := func(say string) {
		s.inside &^= 1 << i
		done(no, say+" and takes its own back")
	}
	switch a.step {
	case 0:
		if s.file && !s.marker && s.inside == 0 {
			done(no, "finds a file")
			return
		}
		a.saw, a.step = s.marker, 1
		emit(s, "looks")
	case 1:
		s.inside |= 1 << i
		if a.step = 2; r.unlooked {
			done(told, "writes")
			return
		}
		emit(s, "writes")
	case 2:
		if s.marker {
			done(told, "finds the marker")
			return
		}
		if a.step = 3; r.heedless || r.hasty {
			a.step = 4
		}
		emit(s, "finds no marker")
	case 3: // the lease
		if s.holder != 0 {
			undo("gives up waiting for the lease")
			return
		}
		if r.hasty {
			done(told, "finds the lease free")
			return
		}
		if a.step = 4; a.saw && !r.careless {
			s.holder, a.step = i+1, 5
			emit(s, "takes the lease")
			return
		}
		emit(s, "finds the lease free")
	case 4:
		if s.file {
			undo("finds a file")
			return
		}
		if r.hasty {
			a.step = 3
			emit(s, "finds no file")
			return
		}
		done(told, "finds no file")
	case 5:
		if s.file {
			undo("finds a file")
			return
		}
		a.step = 6
		emit(s, "finds no file")
	case 6:
		s.marker = true
		done(told, "puts the marker back")
	}
	if mine && a.told == 0 {
		lost := s
		lost.holder = 0
		lost.actors[i].step = 3
		emit(lost, "loses the lease")
	}
}

func TestParentRule(t *testing.T) {
	scenes := 0
	search := func(r parentRule) string {
		found := map[string]string{}
		for _, marker := range []bool{true, false} {
			for _, roles := range [][]role{
				{maker, filer, remover}, {maker, maker, remover}, {maker, maker, filer}, {maker, remover, remover},
				{maker, filer, mkdirer}, {maker, remover, mkdirer}, {filer, remover, mkdirer}, {filer, filer, mkdirer},
			} {
				ways, n := r.explore(marker, roles)
				scenes += n
				for what, way := range ways {
					if found[what] == "" {
						found[what] = way
					}
				}
			}
		}
		var all []string
		for _, what := range []string{"both", "bare"} {
			if found[what] != "" {
				all = append(all, what)
				t.Logf("%s: %s", what, found[what])
			}
		}
		return strings.Join(all, ", ")
	}
	for _, c := range []struct {
		name string
		r    parentRule
		want string
	}{
		{"the rule", parentRule{}, ""},
		{"no look after the write", parentRule{unlooked: true}, "both, bare"},
		{"no look at the lease", parentRule{heedless: true}, "both, bare"},
		{"the lease after the file", parentRule{hasty: true}, "both, bare"},
		{"the marker is not put back", parentRule{careless: true}, "bare"},
		{"rmdir does not look again", parentRule{trusting: true}, "bare"},
		{"rmdir looks without the lease", parentRule{unguarded: true}, "both"},
		{"a marker counts as nothing", parentRule{blind: true}, "both"},
		{"a new name without a lease", parentRule{unleased: true}, "both"},
	} {
		t.Run(c.name, func(t *testing.T) {
			scenes = 0
			if got := search(c.r); got != c.want || scenes < 500 {
				t.Errorf("%d scenes, wrong is %q, want %q", scenes, got, c.want)
			}
		})
	}
}
