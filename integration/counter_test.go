package integration

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// A tally is what a counting program reports.
type tally struct {
	Closed int      // rounds whose close returned 0
	Open   int      // rounds that wrote and whose close did not return 0
	Errors []string // what went wrong, at most one per round
}

// counterProgram adds one to the number in a file again and again: open, read, write,
// close, with no lock of its own, until the number reaches a limit, the time is up or
// something fails.
func counterProgram(args []string) int {
	flags := flag.NewFlagSet("counter", flag.ContinueOnError)
	limit := flags.Int("limit", 400, "")
	seconds := flags.Duration("for", 90*time.Second, "")
	seed := flags.Uint64("seed", 1, "")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	var t tally
	pause := rand.New(rand.NewPCG(*seed, 0))
	for end := time.Now().Add(*seconds); time.Now().Before(end); {
		n, err := addOne(flags.Arg(0), *limit, &t)
		if err != nil {
			t.Errors = append(t.Errors, err.Error())
			break
		}
		if n >= *limit {
			break
		}
		time.Sleep(time.Duration(pause.IntN(20_000)) * time.Microsecond)
	}
	if err := json.NewEncoder(os.Stdout).Encode(t); err != nil {
		return 1
	}
	return 0
}

// addOne makes one round and returns the number that was found.
func addOne(path string, limit int, t *tally) (n int, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	wrote := false
	defer func() {
		err = errors.Join(err, f.Close())
		switch {
		case !wrote:
		case err == nil:
			t.Closed++
		default:
			t.Open++
		}
	}()
	b := make([]byte, 32)
	k, _ := f.Read(b)
	if n, err = strconv.Atoi(strings.TrimSpace(string(b[:k]))); err != nil {
		return 0, fmt.Errorf("found %q: %w", b[:k], err)
	}
	if n >= limit {
		return n, nil
	}
	wrote = true
	_, err = f.WriteAt([]byte(strconv.Itoa(n+1)+"\n"), 0)
	return n, err
}

func startCounter(h *harness.Host, path string, seed int, limit int, d time.Duration) *harness.Process {
	return h.Program("counter", "-seed", strconv.Itoa(seed), "-limit", strconv.Itoa(limit), "-for", d.String(), path)
}

func waitCounter(e *harness.Env, p *harness.Process, limit time.Duration) tally {
	e.Helper()
	o := p.Wait(limit)
	var t tally
	if err := json.Unmarshal([]byte(o.Out), &t); err != nil || o.Code != 0 {
		e.Fatalf("counter: exit code %d, %v\n%s%s", o.Code, err, o.Out, o.Err)
	}
	return t
}

// TestCounterDynamo: two hosts add one to a number 400 times in all, or for 90 s.
func TestCounterDynamo(t *testing.T) { testCounter(t, harness.OnDynamoDB) }

// TestCounterS3Table is TestCounterDynamo with the locks on S3.
func TestCounterS3Table(t *testing.T) { testCounter(t, harness.OnS3) }

// SEMANTICS G1, G2, G4
func testCounter(t *testing.T, lock harness.Lock) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(lock, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two")
	e.Sh(one.Mountpoint, "echo 0 > n")

	const limit, most = 400, 90 * time.Second
	p1 := startCounter(one, one.Path("n"), 1, limit, most)
	p2 := startCounter(two, two.Path("n"), 2, limit, most)
	t1, t2 := waitCounter(e, p1, 3*time.Minute), waitCounter(e, p2, 3*time.Minute)
	for _, err := range append(t1.Errors, t2.Errors...) {
		t.Errorf("seen by a program: %s", err)
	}
	value, err := strconv.Atoi(strings.TrimSpace(b.Content("n")))
	e.Must(err)
	if rounds := t1.Closed + t2.Closed; value != rounds {
		t.Errorf("the number is %d after %d closes that returned 0", value, rounds)
	}
	if value < 100 {
		t.Errorf("only %d rounds within %s, want 100", value, most)
	}
	versions := b.VersionsOf("n")
	if n := handOvers(versions); n < 25 {
		t.Errorf("the file went from one host to the other %d times, want 25", n)
	} else {
		t.Logf("%d + %d rounds, %d hand-overs, %d versions", t1.Closed, t2.Closed, n, len(versions))
	}
	if len(versions) != value+1 {
		t.Errorf("%d versions for %d closes", len(versions), value+1)
	}
	checkLineage(e, versions)
}

// handOvers counts neighbouring versions that different hosts wrote.
func handOvers(versions []harness.Version) int {
	n := 0
	for i := 1; i < len(versions); i++ {
		if versions[i].WrittenBy() != versions[i-1].WrittenBy() {
			n++
		}
	}
	return n
}

// checkLineage checks that every version was written by a write id of its own, on top
// of the version before it (LOCKS, "How to check it", 3).
func checkLineage(e *harness.Env, versions []harness.Version) {
	e.Helper()
	seen := map[string]bool{}
	for i, v := range versions {
		id := v.Meta["latchfs-write-id"]
		if id == "" || seen[id] {
			e.Errorf("version %d: write id %q is missing or not its own", i, id)
		}
		seen[id] = true
		want := "-"
		if i > 0 {
			want = versions[i-1].ID
		}
		if base := v.Meta["latchfs-base"]; base != want {
			e.Errorf("version %d was written on top of %q, its predecessor is %q", i, base, want)
		}
	}
}

// TestCounterKill kills the mount of one host in the middle of counting. After its
// recovery nothing that was acknowledged is missing, and nothing is there that nobody
// wrote.
// SEMANTICS G1, G5, G7
func TestCounterKill(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Mortal)
	// The other host says that one is dead if it was killed with the lease in hand; and what one was
	// about to save in that moment is a conflict then, since two has counted on, or a recovered file, if
	// close had not asked yet (SEMANTICS G5).
	one, two := b.Mount("one").Expect("changed by somebody else|was not closed when its mount died"), b.Mount("two").Expect(`session declared dead.*host=one`)
	e.Sh(one.Mountpoint, "echo 0 > n")

	const limit = 1 << 30
	p1 := startCounter(one, one.Path("n"), 1, limit, time.Minute)
	p2 := startCounter(two, two.Path("n"), 2, limit, 25*time.Second)
	// Both at work: at least one hand-over each way.
	e.Eventually(time.Minute, func() error {
		if n := handOvers(b.VersionsOf("n")); n < 3 {
			return fmt.Errorf("%d hand-overs", n)
		}
		return nil
	})
	one.Kill()
	t1 := waitCounter(e, p1, time.Minute)
	if len(t1.Errors) == 0 {
		t.Error("the program on the killed mount saw no error")
	}
	t2 := waitCounter(e, p2, 2*time.Minute)
	for _, err := range t2.Errors {
		t.Errorf("seen by the program on the other host: %s", err)
	}
	one.Mount()
	// Mounting again recovers what the crash left.
	e.Eventually(30*time.Second, func() error {
		v, err := strconv.Atoi(strings.TrimSpace(e.Sh(one.Mountpoint, "cat n")))
		closed, open := t1.Closed+t2.Closed, t1.Open+t2.Open
		switch {
		case err != nil:
			return err
		case v < closed || v > closed+open:
			return fmt.Errorf("the number is %d after %d closes that returned 0 and %d that did not", v, closed, open)
		}
		return nil
	})
	t.Logf("%+v %+v", t1, t2)
}
