package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Meetings bring programs of all hosts to one new name at one moment, and each plays a part there.
// If everybody works at random, two hosts hardly ever make a file and a directory of one name at
// once, or within the second in which the one believes what it saw before the other one came.
const (
	meetEvery = 2500 * time.Millisecond
	beat      = 150 * time.Millisecond // between two moves of a part
	early     = 400 * time.Millisecond // that a worker comes before the moment, if it is free
	late      = 600 * time.Millisecond // that it may come after it
)

// The parts of each kind of meeting: one move for each beat. Every part is played on two hosts. A
// move is a call on the name, or on a name inside it; "-" is a pause, "own" makes a file that
// "move" gives the name.
var meetings = [][]string{
	// At once.
	{"mkdir", "new", "create"},
	{"own - mkdir", "own - move", "own - new"},
	{"new", "mkdir", "append"},
	// What another host has just made, over what was believed.
	{"look mkdir", "look - - new", "look - - create"},
	{"look new", "look - - mkdir", "look - - - mkdir"},
	{"own look mkdir", "own look - - move", "own look - - append"},
	{"own look move", "look - - - mkdir", "look - - - new"},
	// What was a directory is a file, and the other way round.
	{"mkdir - rmdir new - look", "- look - - - - new/in", "- look - - - - mkdir/in"},
	{"mkdir - rmdir own move look", "own look - - - - move/in", "- look - - - - append/in"},
	{"new - - unlink mkdir", "- look - - - - create", "own look - - - - move"},
	// Something is made in a directory that is removed.
	{"mkdir - - rmdir", "- look - new/in", "- look - rmdir"},
	{"mkdir - - rmdir new", "- look - new/in", "- look - - mkdir/in"},
	{"mkdir - new/in", "- look - - - rmdir", "- look - - - rmdir"},
}

// met counts the meetings at which a change of the name by one host and a try of another one were
// both answered for sure.
func (h *history) met() (n int) {
	by := map[string]map[string]bool{} // hosts, by name
	told := map[string]bool{}
	for _, e := range h.events {
		name := cmp.Or(e.To, e.Name)
		if !strings.Contains(name, "/m") || strings.Contains(name, "-") || e.Op == "look" || !e.Told() && mayBeDone(e) {
			continue
		}
		if by[name] == nil {
			by[name] = map[string]bool{}
		}
		by[name][e.Host], told[name] = true, told[name] || e.Told()
	}
	for name, hosts := range by {
		if told[name] && len(hosts) > 1 {
			n++
		}
	}
	return n
}

// attend takes the worker to a meeting, if there is one now.
func (w *worker) attend() bool {
	k := int64(time.Duration(clock()-w.began)+early) / int64(meetEvery)
	moment := time.Duration(k) * meetEvery
	since := func() time.Duration { return time.Duration(clock() - w.began) }
	if k <= w.met || since() > moment+late {
		return false
	}
	w.met = k
	parts := meetings[(w.seed+uint64(k))%uint64(len(meetings))]
	name := fmt.Sprintf("d%d/m%03d", 1+k%2, k)
	for i, move := range strings.Fields(parts[(w.place+int(k))%len(parts)]) {
		time.Sleep(moment + time.Duration(i)*beat - since())
		w.move(move, name)
	}
	return true
}

// move makes one move of a part.
func (w *worker) move(move, name string) {
	own := fmt.Sprintf("%s-%d", name, w.place)
	op, inside := strings.CutSuffix(move, "/in")
	if inside {
		name += "/in"
	}
	switch op {
	case "-":
	case "look":
		w.look(name)
	case "mkdir", "rmdir":
		w.directory(op, name)
	case "unlink":
		w.unlink(name)
	case "own":
		w.put(own, "new")
	case "move":
		w.rename(own, name)
	default:
		w.put(name, op)
	}
}

// put makes a file with one line, and sometimes closes it a moment later.
func (w *worker) put(name, how string) {
	w.begin(name, how)
	i := slices.IndexFunc(w.open, func(h *handle) bool { return h.name == name })
	if i < 0 {
		return
	}
	h := w.open[i]
	w.write(h, "add")
	if w.r.IntN(2) == 0 {
		time.Sleep(time.Duration(w.r.IntN(400)) * time.Millisecond)
	}
	if slices.Contains(w.open, h) {
		w.close(h)
	}
}
