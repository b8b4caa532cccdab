package integration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// A saved is one file that the program "load" wrote: lines "ID N of M" for N from 1.
type saved struct {
	Name  string
	ID    string
	Lines int // that write(2) accepted
	Of    int
	// Closed: close returned 0.
	Closed bool
}

// loadProgram writes files in a directory again and again, some of which the other host
// writes too, and says of each, in one line, what was accepted and whether it was closed. It
// ends with the first error, or when the time is up.
func loadProgram(args []string) int {
	dir, me := args[0], args[1]
	seed, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return 2
	}
	limit, err := time.ParseDuration(args[3])
	if err != nil {
		return 2
	}
	r := rand.New(rand.NewPCG(seed, 1))
	out := json.NewEncoder(os.Stdout)
	for n, end := 0, time.Now().Add(limit); time.Now().Before(end); n++ {
		s := saved{Name: append([]string{me, me + "-" + strconv.Itoa(n)}, args[4:]...)[r.IntN(2+len(args[4:]))],
			ID: fmt.Sprintf("%s.%d.%d", me, seed, n), Of: 1 + r.IntN(12)}
		err := s.write(dir, r)
		if s.Lines > 0 {
			if out.Encode(s) != nil {
				return 1
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, s.ID, err)
			return 0
		}
	}
	return 0
}

func (s *saved) write(dir string, r *rand.Rand) error {
	fd, err := unix.Open(filepath.Join(dir, s.Name), unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC, 0o644)
	for err == unix.EINTR { // Go programs send themselves signals
		fd, err = unix.Open(filepath.Join(dir, s.Name), unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC, 0o644)
	}
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	for s.Lines < s.Of {
		line := fmt.Sprintf("%s %d of %d\n", s.ID, s.Lines+1, s.Of)
		if n, err := unix.Write(fd, []byte(line)); n != len(line) {
			unix.Close(fd)
			return fmt.Errorf("write: %w", err)
		}
		s.Lines++
		time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
	}
	if err := unix.Close(fd); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	s.Closed = true
	return nil
}

// parseSaved reads what load wrote. It fails if that is anything but the first lines of one
// write.
func parseSaved(content string) (s saved, err error) {
	for line := range strings.Lines(content) {
		var id string
		var n, of int
		if _, err := fmt.Sscanf(line, "%s %d of %d\n", &id, &n, &of); err != nil {
			return s, fmt.Errorf("line %q: %w", line, err)
		}
		if s.Lines > 0 && (id != s.ID || of != s.Of) || n != s.Lines+1 {
			return s, fmt.Errorf("line %q after %d lines of %s", line, s.Lines, s.ID)
		}
		s.ID, s.Of, s.Lines = id, of, n
	}
	return s, nil
}

// Two hosts under load, one killed at random moments and mounted again. Every close that
// returned 0 is a version; every version under a name is whole; every byte that was
// accepted is in a version, a conflict file or a recovered file; the chain has no gap.
// SEMANTICS G1, G4, G5
func TestP7KillUnderLoad(t *testing.T) {
	t.Parallel()
	for _, lock := range []struct {
		name string
		on   harness.Lock
	}{{"dynamodb", harness.OnDynamoDB}, {"s3", harness.OnS3}} {
		t.Run(lock.name, func(t *testing.T) {
			t.Parallel()
			e := suite.New(t)
			testKillUnderLoad(e, e.Bucket(lock.on, harness.Mortal))
		})
	}
}

func testKillUnderLoad(e *harness.Env, b *harness.Bucket) {
	const kills = 3
	one, two := b.Mount("one").Expect("recover|conflict|changed"), b.Mount("two").Expect("dead|conflict|changed")
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	var all []saved
	collect := func(p *harness.Process) {
		o := p.Wait(2 * time.Minute)
		if o.Code != 0 {
			e.Fatalf("load: exit code %d\n%s", o.Code, o.Err)
		}
		e.Log(strings.TrimSpace(o.Err))
		for line := range strings.Lines(o.Out) {
			var s saved
			e.Must(json.Unmarshal([]byte(line), &s))
			all = append(all, s)
		}
	}
	steady := two.Program("load", two.Mountpoint, "two", "100", "8s", "shared0", "shared1")
	for kill := range kills {
		var loads []*harness.Process
		for k, shared := range [][]string{{"shared0", "shared1"}, nil} { // on one host programs race as they like
			args := append([]string{one.Mountpoint, fmt.Sprint("one", k), fmt.Sprint(kill), "1m"}, shared...)
			loads = append(loads, one.Program("load", args...))
		}
		time.Sleep(time.Duration(300+r.IntN(1200)) * time.Millisecond)
		one.Crash()
		for _, p := range loads {
			collect(p)
		}
		e.Must(unix.Unmount(one.Mountpoint, unix.MNT_DETACH))
		one.Mount()
	}
	collect(steady)
	one.Umount() // with it the recovery is over, or exit code 3 says that it is not
	two.Umount()
	one.Mount()
	e.Eventually(time.Minute, func() error {
		if dirs := glob(e, one.StateDir, "*/spool"); len(dirs) != 1 {
			return fmt.Errorf("not recovered yet: %q", dirs)
		}
		return nil
	})

	found := map[string]saved{} // by ID, the longest
	aside := 0
	for _, key := range b.KeysBelow("") {
		beside := strings.Contains(key, ".conflict-") || strings.Contains(key, ".recovered-")
		if beside {
			aside++
		}
		versions := b.VersionsOf(key)
		for i, v := range versions {
			content, err := b.S3.Get(e.Timeout(time.Minute), key, v.ID)
			e.Must(err)
			s, err := parseSaved(string(content))
			switch {
			case err != nil:
				e.Errorf("version %d of %s is a mixture: %v\n%s", i, key, err, content)
			case !beside && s.Lines != s.Of:
				e.Errorf("version %d of %s was published half-written:\n%s", i, key, content)
			case s.Lines > found[s.ID].Lines:
				s.Closed = !beside
				found[s.ID] = s
			}
		}
		checkLineage(e, versions)
	}
	closed := 0
	for _, s := range all {
		f := found[s.ID]
		if s.Closed {
			closed++
		}
		switch {
		case s.Closed && (!f.Closed || f.Lines != s.Of):
			e.Errorf("%s of %s: close returned 0, and it is no version", s.ID, s.Name)
		case f.Lines < s.Lines:
			e.Errorf("%s of %s: %d lines were accepted, %d are there", s.ID, s.Name, s.Lines, f.Lines)
		}
	}
	if closed < 50 {
		e.Errorf("only %d of %d files were closed", closed, len(all))
	}
	e.Logf("%d files written, %d closed, %d kept beside", len(all), closed, aside)
}
