package file

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/store"
)

var (
	modelSeed  = flag.Uint64("model.seed", 0, "run this seed of the random model alone, as often as -model.seeds says")
	modelSeeds = flag.Uint64("model.seeds", defaultSeeds(), "number of seeds of the random model")
	modelFrom  = flag.Uint64("model.from", 1, "first seed of the random model")
	modelTrace = flag.Bool("model.trace", false, "a failure of the random model shows every request, too")
	modelSteps = flag.Int("model.steps", 200, "steps of each seed of the random model")
)

// defaultSeeds keeps a test run short. The race detector makes each step ten times slower.
func defaultSeeds() uint64 {
	if checking {
		return 30
	}
	return 200
}

// A model drives programs on a few mounts at random, and all that can go wrong around them.
type model struct {
	*witness
	r     *rand.Rand
	open  []*descriptor // of programs
	noise *noise
	texts int
	steps int
}

// Random programs on two or three mounts, a foreign writer, lost sessions, crashes, and networks
// that lose, delay and repeat, judged by a witness. What is random in the code under test (the
// order of goroutines, jitter) is not the same when a seed is run again with -model.seed: a failure
// may take some runs to come back. With integration/replay it is the same each time, but not what it
// was in a run without it; make soak-long shows each request of a seed that fails (-model.trace).
func TestModel(t *testing.T) {
	proc := fakeProc(t)
	if *modelSeed != 0 {
		for range *modelSeeds {
			cryptotest.SetGlobalRandom(t, *modelSeed)
			runModel(t, proc, *modelSeed)
		}
		return
	}
	// Little is kept and much is made: as often as usual the collector would cost a fifth.
	gc := debug.SetGCPercent(400)
	t.Cleanup(func() { debug.SetGCPercent(gc) })
	all := tally{counts: map[string]int{}, began: time.Now(), cpu: processorTime()}
	seeds := make(chan uint64)
	go func() {
		defer close(seeds)
		for i := range *modelSeeds {
			seeds <- *modelFrom + i
		}
	}()
	t.Run("seeds", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for seed := range seeds {
					if !t.Failed() {
						all.add(runModel(t, proc, seed))
					}
				}
			})
		}
	})
	all.report(t)
}

// A tally counts what the models of all seeds have done.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
	steps  int
	began  time.Time
	cpu    time.Duration
}

func (a *tally) add(m *model) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.steps += m.steps
	for what, n := range m.counts {
		a.counts[what] += n
	}
}

// report complains if the models have not seen what they are for.
func (a *tally) report(t *testing.T) {
	t.Logf("%d steps, %.0f in a second, %.0f in a second of a processor: %v", a.steps,
		float64(a.steps)/time.Since(a.began).Seconds(), float64(a.steps)/(processorTime()-a.cpu).Seconds(), a.counts)
	if t.Failed() || a.steps < 20000 {
		return
	}
	for _, what := range modelMustDo {
		if a.counts[what] == 0 {
			t.Errorf("%s: never", what)
		}
	}
}

// modelMustDo is what has to go well, or wrong, now and then: else the model has seen nothing.
var modelMustDo = []string{
	"open r", "open r+", "open a", "open w", "open c", "read", "close", "close conflict", "close unsaved", "fsync", "fsync conflict",
	"fsync unsaved", "rename", "unlink", "mkdir", "rmdir", "symlink", "setattr", "recovery",
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// flawsOf gives one server in three that ignores conditions of CopyObject: rename and changes of
// attributes are uploads there, which bring another ETag and lie where they were begun.
func flawsOf(seed uint64) store.Flaws {
	if seed%3 == 0 {
		return store.CopyConditions
	}
	return 0
}

func runModel(t *testing.T, proc string, seed uint64) (m *model) {
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(seed, 11))
		m = &model{witness: newWitness(t, proc, r.IntN(4) > 0, flawsOf(seed)), r: r, noise: &noise{r: rand.New(rand.NewPCG(seed, 12))}}
		m.calm = m.chance(8)
		for range 2 + r.IntN(2) {
			m.start()
		}
		for range *modelSteps {
			m.step()
			m.steps++
			if m.failed {
				break
			}
		}
		m.finish()
		if m.failed { // synctest.Test does not return then
			t.Logf("-model.seed=%d, versioned: %v\n%s\n%v", seed, m.versioned, strings.Join(m.log, "\n"), slices.Sorted(maps.Keys(m.counts)))
		}
	})
	return m
}

// step does one thing, and lets time pass.
func (m *model) step() {
	m.act()
	if m.chance(8) {
		return // something else happens in the same moment
	}
	m.judge()
	if m.failed {
		return
	}
	switch m.r.IntN(40) {
	case 0:
		time.Sleep(m.upTo(time.Minute))
	case 1, 2:
		time.Sleep(m.upTo(10 * time.Second))
	case 3, 4, 5, 6:
		time.Sleep(m.upTo(time.Second))
	default:
		time.Sleep(m.upTo(20 * time.Millisecond))
	}
	m.judge()
}

func (m *model) chance(n int) bool { return m.r.IntN(n) == 0 }

func (m *model) upTo(d time.Duration) time.Duration { return time.Duration(m.r.Int64N(int64(d))) + 1 }

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// text is content that never was there.
func (m *model) text() string {
	m.texts++
	return fmt.Sprintf("<%d%s>", m.texts, "............"[:m.r.IntN(12)])
}

// alive are the mounts that run.
func (m *model) alive() (all []*mount) {
	for _, x := range m.mounts {
		if !x.dead {
			all = append(all, x)
		}
	}
	return all
}

// start begins a mount.
func (m *model) start() {
	x := m.newMount()
	x.b.net.Hook(m.network(x))
	x.table.SetFaults(m.noise.table)
}
