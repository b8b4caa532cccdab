package integration

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
	"github.com/latchfs/latchfs/internal/when"
)

// How many names there are at a time, and how many more come later.
const (
	thenOnes  = 10_000
	laterOnes = 500
)

// mostMemory is what a command may use for them: twice what the program itself, 64 requests at a time
// and a plan of all names take, with less than 1 KiB for each name. All names at a time take a GiB.
const mostMemory = 160 << 20

// restore -r --delete and prune -r of 10,000 objects: either is stopped in the middle and run again, does
// the rest, and then has nothing to do.
// SEMANTICS G3
func TestSoakManyObjects(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	// A command that was killed keeps its names for the lease and the delay.
	b := e.Bucket(harness.OnS3, harness.Times{Beat: 500 * time.Millisecond, Lease: 10 * time.Second, Delay: 5 * time.Second})
	m := &manyObjects{b}
	m.put(0, thenOnes, "was")
	want := m.current(func(history []harness.Entry) bool { return len(history) == 1 })
	at := nextSecond()
	m.put(1000, thenOnes+laterOnes, "is now")
	m.remove(0, 1000)

	// Each of the names is another one now; none is touched twice.
	restore := []string{"restore", "-r", "--delete", b.Source() + "/d@" + when.Path(at)}
	first := m.stopped(unix.SIGINT, restore...)
	if first.Code != 1 || !strings.Contains(first.Err, "interrupted: nothing more is begun") {
		t.Errorf("interrupted: exit code %d, %s", first.Code, first.Err)
	}
	done := 0
	for line := range strings.Lines(first.Out) {
		switch {
		case !strings.Contains(line, `"error"`):
			done++
		case !strings.Contains(line, "interrupted, and not changed"):
			t.Fatalf("interrupted: %s", line)
		}
	}
	all := thenOnes + laterOnes
	for n, says := range []string{
		fmt.Sprintf("%d of %[1]d changed", all-done),
		"0 of 0 changed",
	} {
		if o := m.run(restore...); o.Code != 0 || !strings.Contains(o.Err, says) {
			t.Errorf("run again, %d: exit code %d, %q, want %q", n, o.Code, o.Err, says)
		}
	}
	if got := m.current(func(history []harness.Entry) bool { return len(history) <= 3 }); !slices.Equal(got, want) {
		t.Errorf("%d names are restored to something else than the %d that were there", len(got), len(want))
	}

	prune := []string{"prune", "-r", "--yes", "--keep-last", "1", b.Source() + "/d"}
	if killed := m.stopped(unix.SIGKILL, prune...); killed.Code != -1 || strings.Contains(killed.Out, `"error"`) {
		t.Errorf("killed: exit code %d, %s", killed.Code, killed.Err)
	}
	if o := m.run(prune...); o.Code != 0 {
		t.Errorf("prune again: exit code %d, %s", o.Code, o.Err)
	}
	if o := m.run(prune...); o.Code != 0 || !strings.Contains(o.Err, "0 versions of 0") || !strings.Contains(o.Err, " 0 deletions removed") {
		t.Errorf("pruned once more: exit code %d, %s", o.Code, o.Err)
	}
	// The last content of what is deleted stays below its deletion.
	got := m.current(func(history []harness.Entry) bool {
		return len(history) == 1 || len(history) == 2 && history[1].Deleted
	})
	if !slices.Equal(got, want) {
		t.Errorf("%d names are left with something else than the %d that were restored", len(got), len(want))
	}
}

// manyObjects is a bucket with many small objects below d/.
type manyObjects struct{ *harness.Bucket }

// each does something for each of the names with these numbers, several at a time.
func (m *manyObjects) each(from, to int, do func(ctx context.Context, key string, n int) error) {
	m.Helper()
	ctx := m.Timeout(2 * time.Minute)
	var all sync.WaitGroup
	errs := make(chan error, to-from)
	numbers := make(chan int)
	for range 16 {
		all.Go(func() {
			for n := range numbers {
				if err := do(ctx, fmt.Sprintf("d/%02d/%05d", n%20, n), n); err != nil {
					errs <- err
				}
			}
		})
	}
	for n := from; n < to; n++ {
		numbers <- n
	}
	close(numbers)
	all.Wait()
	close(errs)
	m.Must(<-errs)
}

func (m *manyObjects) put(from, to int, what string) {
	m.Helper()
	m.each(from, to, func(ctx context.Context, key string, n int) error {
		return m.S3.Put(ctx, key, fmt.Sprintf("%s %d", what, n))
	})
}

func (m *manyObjects) remove(from, to int) {
	m.Helper()
	m.each(from, to, func(ctx context.Context, key string, _ int) error { return m.S3.Delete(ctx, key) })
}

// current gives names and ETags of what is there, in order. Each history has to be as holds says.
func (m *manyObjects) current(holds func(history []harness.Entry) bool) (all []string) {
	m.Helper()
	histories, err := m.S3.Histories(m.Timeout(time.Minute), "d/")
	m.Must(err)
	wrong := 0
	for key, history := range histories {
		if !holds(history) {
			if wrong++; wrong == 1 {
				m.Errorf("%s has the history %+v", key, history)
			}
		}
		if last := history[len(history)-1]; !last.Deleted {
			all = append(all, key+" "+last.ETag)
		}
	}
	if wrong > 1 {
		m.Errorf("so it is with %d names", wrong)
	}
	slices.Sort(all)
	return all
}

// start starts a command, and watches how much memory it uses.
func (m *manyObjects) start(args ...string) *harness.Process {
	m.Helper()
	program, err := m.Suite.Latchfs()
	m.Must(err)
	cmd := exec.Command(program, append(args, m.ConnectionFlags()...)...)
	cmd.Env = m.Environ()
	return m.Start(cmd)
}

// run runs a command to its end.
func (m *manyObjects) run(args ...string) harness.Output {
	m.Helper()
	p := m.start(args...)
	m.watch(p, func() bool { return false })
	return p.Wait(time.Minute)
}

// stopped runs a command with --json, and sends it a signal after it has told of 2,000 changes.
func (m *manyObjects) stopped(signal unix.Signal, args ...string) harness.Output {
	m.Helper()
	p := m.start(append(args, "--json")...)
	m.watch(p, func() bool { return strings.Count(p.Out.String(), "\n") >= 2000 })
	if err := p.Cmd.Process.Signal(signal); err != nil {
		m.Fatalf("%s: it has ended before it was stopped: %v", strings.Join(args, " "), err)
	}
	return p.Wait(time.Minute)
}

// watch waits for a condition or the end of a command, and fails the test if the command uses more memory
// than it may. It does not see the last moments of a command that ends.
func (m *manyObjects) watch(p *harness.Process, until func() bool) {
	m.Helper()
	var most int64
	defer func() {
		m.Logf("%s: %d MiB of memory", p.Cmd.Args[1], most>>20)
		if most == 0 || most > mostMemory {
			m.Errorf("%s used %d MiB of memory, want at most %d", p.Cmd.Args[1], most>>20, mostMemory>>20)
		}
	}()
	for limit := time.Now().Add(3 * time.Minute); time.Now().Before(limit); {
		if peak, err := highWater(p.Cmd.Process.Pid); err == nil { // else it is about to end
			most = peak
		}
		select {
		case <-p.Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
		if until() {
			return
		}
	}
}
