package file

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// A side effect is one request to the bucket or to the lock table, or one operation on the
// disk of the spool. It is named by where it happens in the script, so that it is the same one
// in each run, also where goroutines work side by side.
type effect struct {
	step  int
	host  string
	label string // "s3 Put f", "table acquire f", "disk write journal"
	nth   int    // of this label in this step, from 1
}

// A trouble is what happens to one side effect.
type trouble string

const (
	fine       trouble = ""
	lost       trouble = "lost" // it is not applied, and not answered; an operation on the disk fails
	full       trouble = "full disk"
	refusing   trouble = "refused"                     // it is not applied, and answered so
	unanswered trouble = "applied without an answer"   // an operation on the disk is done and fails
	late       trouble = "late"                        // not answered, and applied when its caller has long given up
	crash      trouble = "crash after it"              // and the next process of the host recovers at once
	crashLate  trouble = "crash, and it lands late"    // the same, but the request is still under way
	crashAlone trouble = "crash, recovered at the end" // and meanwhile both hosts go on
	slowly     trouble = "all that it sends to the bucket lands late"
	dropped    trouble = "it never gets there"
)

// troubles are what can happen to a side effect. Of one that changes nothing an answer cannot
// be lost in another way than its request, and a crash after it is one after the effect before.
func (e effect) troubles() []trouble {
	where, rest, _ := strings.Cut(e.label, " ")
	verb, _, _ := strings.Cut(rest, " ")
	switch {
	case where == "disk" && slices.Contains(diskReads, verb):
		return []trouble{lost}
	case where == "disk" && slices.Contains(diskTakes, verb):
		return []trouble{lost, full, unanswered, crash, crashAlone}
	case where == "disk":
		return []trouble{lost, unanswered, crash, crashAlone}
	case slices.Contains(requestsThatRead, verb):
		return []trouble{lost, refusing}
	case where == "table":
		return []trouble{lost, refusing, unanswered, late, crash, crashAlone}
	}
	return []trouble{lost, refusing, unanswered, late, crash, crashLate, crashAlone}
}

var (
	requestsThatRead = []string{"Head", "Get", "List", "ListVersions", "Tags", "Versioning", "look", "read"}
	diskReads        = []string{"open", "read", "readdir", "stat"}
	diskTakes        = []string{"mkdir", "create", "reserve", "write"} // room on the disk
)

// lateness is how long after its caller has given up a late request lands: at the last moment.
const lateness = sweepDelay - time.Millisecond

// meets notes a side effect and tells what happens to it.
func (s *session) meets(label string) trouble {
	w := s.w
	w.mu.Lock()
	defer w.mu.Unlock()
	table, bucket := strings.HasPrefix(label, "table "), strings.HasPrefix(label, "s3 ")
	if s.dead || s.box.isCut && table || s.box.isOffline && bucket {
		return dropped
	}
	if s.box.isSlow && bucket {
		return slowly
	}
	for _, kind := range []string{".conflict-", ".recovered-"} {
		if name, _, is := strings.Cut(label, kind); is {
			label = name + kind + "*" // the rest of the name is random
		}
	}
	if k := key(label); k != "" && time.Now().Before(w.underway[k]) {
		w.wrong = append(w.wrong, fmt.Sprintf("%q while another request may still land (LOCKS)", label))
	}
	e := effect{step: w.step, host: s.box.name, label: label}
	w.seen[e]++
	e.nth = w.seen[e]
	switch {
	case w.over:
		return fine
	case label == "table beat", strings.HasPrefix(label, "table look"), strings.HasPrefix(label, "table read"):
		// How often somebody looks at a session or a lock depends on chance, and when a session
		// was begun may depend on it too: the first one stands for all.
		e = effect{host: s.box.name, label: label, nth: s.box.mounts}
		if w.seen[e]++; w.seen[e] > 1 {
			return fine
		}
	case e.nth > 1 && (label == "disk read data" || strings.HasPrefix(label, "table acquire ") || strings.HasPrefix(label, "table mail ")):
		return fine // the same for a body that is sent again and again, and for who waits for a lock
	}
	w.effects = append(w.effects, e)
	if w.plan == nil || w.plan.effect != e || w.fired {
		return fine
	}
	w.fired = true
	switch w.plan.trouble {
	case late:
		w.underway[key(label)] = time.Now().Add(lateness)
	case crashLate:
		w.underway[key(label)] = time.Now().Add(lateness)
		s.crash()
	case crashAlone:
		s.alone = true
		s.crash()
	case crash:
		s.crash()
	}
	return w.plan.trouble
}

// key is that of a request to the bucket which may make, replace or remove its object, "" of
// everything else. An upload cannot become an object twice, so that its last request is not one,
// and neither can a kept file, whose request says that nothing may have its name.
func key(label string) string {
	for _, op := range []string{"s3 Put ", "s3 Copy ", "s3 Delete "} {
		if key, is := strings.CutPrefix(label, op); is && !isKept(key) {
			return key
		}
	}
	return ""
}

// request decides what happens to a request to the bucket.
func (s *session) request(op, key string, _ int) faultstore.Fault {
	changes := !slices.Contains(requestsThatRead, op)
	switch s.meets(strings.TrimSpace("s3 " + op + " " + key)) {
	case lost:
		if changes {
			return faultstore.Fault{Err: &store.AttemptError{Fate: store.Unknown, Err: errReset}}
		}
		return faultstore.Fault{Err: &store.AttemptError{Fate: store.Unsent, Err: errDial}}
	case refusing:
		return refusal
	case unanswered:
		return faultstore.Fault{LoseReply: true}
	case late:
		return faultstore.Fault{Late: lateness}
	case crash, crashAlone:
		return faultstore.Fault{Hang: true, LoseReply: true}
	case slowly:
		if changes {
			return faultstore.Fault{Hang: true, Late: lateness}
		}
	case crashLate:
		return faultstore.Fault{Hang: true, Late: lateness}
	case dropped:
		// What a dead process reads changes nothing.
		return faultstore.Fault{Hang: changes || s.box.offline()}
	}
	return faultstore.Fault{}
}

func (b *box) offline() bool {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	return b.isOffline
}
