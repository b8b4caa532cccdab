package file

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	sweepScript  = flag.String("sweep.script", "", "run this script of the fault sweep alone")
	sweepEffect  = flag.Int("sweep.k", 0, "let something go wrong with this side effect alone, from 1; -1 is none")
	sweepTrouble = flag.String("sweep.trouble", "", "let this alone go wrong")
)

// A short script of programs on two hosts is run twice to count its side effects: requests to
// the bucket and to the lock table, and operations on the disk of the spool. Then it is run again
// for each of them and for each trouble that it can have. Whatever happens: what was acknowledged
// or accepted is there in the end, nothing was replaced unseen, no error came that SEMANTICS does
// not have, every name can be changed by everybody soon after, and nothing is left behind.
func TestFaultSweep(t *testing.T) {
	h := &host{t: t, proc: t.TempDir()}
	h.process(testPID)
	for _, script := range sweepScripts {
		if *sweepScript != "" && *sweepScript != script.name {
			continue
		}
		t.Run(script.name, func(t *testing.T) {
			first := runSweep(t, h.proc, script.run, nil)
			if t.Failed() || *sweepEffect < 0 {
				t.Log(strings.Join(first.story, "\n"))
				return
			}
			effects := first.sorted()
			again := runSweep(t, h.proc, script.run, nil).sorted()
			if !slices.Equal(effects, again) {
				t.Fatalf("%d side effects, then %d: %s", len(effects), len(again), differ(effects, again))
			}
			sweepAll(t, h.proc, script.run, effects)
		})
	}
}

// sorted are the side effects in an order that is the same in each run.
func (w *sweep) sorted() []effect {
	all := slices.DeleteFunc(slices.Clone(w.effects), func(e effect) bool { return w.only != nil && !w.only(e) })
	slices.SortFunc(all, func(a, b effect) int {
		return strings.Compare(fmt.Sprintf("%4d %v", a.step, a), fmt.Sprintf("%4d %v", b.step, b))
	})
	return all
}

func (e effect) String() string {
	return fmt.Sprintf("%s: %s #%d in step %d", e.host, e.label, e.nth, e.step)
}

func differ(a, b []effect) string {
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return fmt.Sprint(a[i], " is there once")
		}
	}
	return fmt.Sprint(b[len(a)], " is new")
}

// A faultRun is a plan with the number of its side effect, from 1.
type faultRun struct {
	plan
	k int
}

// faultRuns are all that can go wrong, or what the flags and the race detector leave of it.
func faultRuns(effects []effect) (all []faultRun) {
	for k, e := range effects {
		for i, x := range e.troubles() {
			switch {
			case checking && i != k%len(e.troubles()): // it makes each run ten times slower
			case *sweepEffect > 0 && *sweepEffect != k+1:
			case *sweepTrouble != "" && *sweepTrouble != string(x):
			default:
				all = append(all, faultRun{plan{e, x}, k + 1})
			}
		}
	}
	return all
}

const (
	// enoughStories is of how many failures the whole story is told, and enoughFailures after how
	// many no more are looked for.
	enoughStories  = 5
	enoughFailures = 20
)

// sweepAll runs a script with each trouble of each side effect.
func sweepAll(t *testing.T, proc string, script func(*sweep), effects []effect) {
	all := faultRuns(effects)
	var next, wrong atomic.Int64
	began := time.Now()
	t.Run("each", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for i := next.Add(1) - 1; i < int64(len(all)) && wrong.Load() < enoughFailures; i = next.Add(1) - 1 {
					r := all[i]
					w := runSweep(t, proc, script, &r.plan)
					if !w.fired {
						w.fail("it did not happen in this run")
					}
					if len(w.wrong) == 0 {
						continue
					}
					story := ""
					if wrong.Add(1) <= enoughStories {
						story = "\n" + strings.Join(w.story, "\n")
					}
					t.Errorf("k=%d, %v, %s: %s%s", r.k, r.effect, r.trouble, w.wrong[0], story)
				}
			})
		}
	})
	t.Logf("%d side effects, %d runs with one fault, %d wrong, %.1fs", len(effects), len(all), wrong.Load(), time.Since(began).Seconds())
}

func runSweep(t *testing.T, proc string, script func(*sweep), p *plan) (w *sweep) {
	synctest.Test(t, func(t *testing.T) {
		w = newSweep(t, proc, p)
		hung := time.AfterFunc(6*time.Hour, func() { panic(fmt.Sprintf("%+v: a call does not return:\n%s", p, strings.Join(w.story, "\n"))) })
		w.a.mount()
		w.b.mount()
		script(w)
		w.finish()
		hung.Stop()
	})
	if p == nil {
		for _, text := range w.wrong {
			t.Error(text)
		}
	}
	return w
}
