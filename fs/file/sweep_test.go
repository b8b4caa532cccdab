package file

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	sweepScript  = flag.String("sweep.script", "", "run this script of the fault sweep alone")
	sweepEffect  = flag.Int("sweep.k", 0, "let something go wrong with this side effect alone, from 1; -1 is none")
	sweepTrouble = flag.String("sweep.trouble", "", "let this alone go wrong")
	sweepVerbose = flag.Bool("sweep.v", false, "say what runs")
)

// A short script of programs on two hosts is run once to count its side effects: requests to the
// bucket and to the lock table, and operations on the disk of the spool. Then it is run again
// for each of them and all that can go wrong with it: it fails, its answer is lost, the
// process dies after it. What was acknowledged or accepted has to be there in the end.
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

// sweepAll runs a script with each trouble of each side effect.
func sweepAll(t *testing.T, proc string, script func(*sweep), effects []effect) {
	plans := make(chan int)
	var all []plan
	var number []int
	for k, e := range effects {
		for _, x := range e.troubles() {
			if (*sweepEffect == 0 || *sweepEffect == k+1) && (*sweepTrouble == "" || *sweepTrouble == string(x)) {
				all, number = append(all, plan{e, x}), append(number, k+1)
			}
		}
	}
	go func() {
		defer close(plans)
		for i := range all {
			plans <- i
		}
	}()
	var mu sync.Mutex
	wrong := 0
	began := time.Now()
	t.Run("each", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for i := range plans {
					p := all[i]
					if *sweepVerbose {
						fmt.Fprintf(os.Stderr, "k=%d %v, %s\n", number[i], p.effect, p.trouble)
					}
					w := runSweep(t, proc, script, &p)
					if !w.fired {
						w.wrong = append(w.wrong, "it did not happen in this run")
					}
					if len(w.wrong) == 0 {
						continue
					}
					mu.Lock()
					if wrong++; wrong <= 5 {
						t.Errorf("k=%d, %v, %s: %s\n%s", number[i], p.effect, p.trouble, w.wrong[0], strings.Join(w.story, "\n"))
					} else {
						t.Errorf("k=%d, %v, %s: %s", number[i], p.effect, p.trouble, w.wrong[0])
					}
					mu.Unlock()
				}
			})
		}
	})
	t.Logf("%d side effects, %d runs with one fault, %d wrong, %.1fs", len(effects), len(all), wrong, time.Since(began).Seconds())
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
