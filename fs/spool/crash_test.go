package spool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// stories have every record of the journals in them.
var stories = map[string]func(*story) []func() error{
	"bytes and seals": func(s *story) []func() error {
		return []func() error{
			s.create,
			s.write(4, "BASE"),
			s.write(30, "beyond the end, after a hole"),
			s.sync,
			s.write(0, "THE"),
			s.seal("w1", "", 1, 0),
			s.attempt("w1", false),
			s.write(4, "newer"),
			s.attributes("0600"),
			s.seal("w2", "w1", 0, 0), // while w1 has no answer
			s.sync,
			s.truncate(12),
			s.failed("w1"),
			s.attempt("w1", true),
			s.attempt("w1", false), // does not undo that there was one without a lease
			s.landed(1, 2),
			s.attempt("w2", false),
			s.attributes("0640"),
			s.seal("w3", "w2", 0, 0),
			s.write(2, "tail"),
			s.sync,
			s.landed(1, 3),
			s.attempt("w3", true),
			s.failed("w3"),
			s.attempt("w3", false),
			s.failed("w3"),
			s.seal("w4", "", 3, 1), // replaces w3
			s.seal("w5", "w4", 0, 0),
			s.write(0, "W6"),
			s.seal("w6", "w4", 0, 1), // replaces w5
			s.write(0, "W7"),
			s.seal("w7", "w6", 0, 0),
			s.attempt("w4", false),
			s.landed(2, 4), // w4 and w6 by the answer of w6
			s.write(0, "W8"),
			s.seal("w8", "w6", 4, 1), // replaces w7, and w6 has landed meanwhile
			s.attempt("w8", false),
			s.sync,
			s.landed(1, 5),
			s.seal("w9", "w8", 5, 0),
			s.landed(1, 6),
			s.drop,
		}
	},
	"attributes": func(s *story) []func() error {
		return []func() error{
			s.create,
			s.attributes("0600"),
			s.sync,
			s.attributes("0640"),
			s.seal("w1", "", 1, 0),
			s.attempt("w1", false),
			s.attributes("0644"),
			s.sync,
			s.landed(1, 2), // does not cover 0644
			s.write(0, "THE"),
			s.attributes("0666"),
			s.drop,
		}
	},
	"names": func(s *story) []func() error {
		return []func() error{
			s.create,
			s.write(0, "THE"),
			s.unlinking,
			s.sync,
			s.linked,
			s.seal("w1", "", 1, 0),
			s.write(4, "BASE"),
			s.seal("w2", "w1", 0, 0),
			s.moved("dir/b", 2),
			s.sync,
			s.attempt("w1", false),
			s.landed(1, 3),
			s.landed(1, 4),
			s.moved("c", 5),
			s.attributes("0600"),
			s.unlinking,
			s.drop,
		}
	},
	"operations": func(s *story) []func() error {
		var endPut, endOne, endTwo, endDelete func()
		put := Op{ID: "1", Key: "a", Kind: "put"}
		one := Op{ID: "1", Key: "a", Kind: OpUpload, Upload: "u1"}
		two := Op{ID: "1", Key: "a", Kind: OpUpload, Upload: "u2"}
		del := Op{ID: "2", Key: "b", Kind: "delete"}
		return []func() error{
			s.begin(put, &endPut),
			s.begin(one, &endOne),
			s.begin(del, &endDelete),
			s.end(one, &endOne),
			s.begin(two, &endTwo),
			s.end(del, &endDelete),
			s.end(put, &endPut),
			s.end(two, &endTwo),
		}
	},
}

// SEMANTICS G5: what was accepted and asked for survives kill -9 at every step, and nothing
// else is found.
func TestKillAtEveryStep(t *testing.T) {
	for name, steps := range stories {
		t.Run(name, func(t *testing.T) {
			for at := 1; at <= countSteps(t, steps); at++ {
				m := newMemFS()
				m.crashAt = at
				s, err := tell(m, steps)
				if !errors.Is(err, errCrashed) && !errors.Is(err, errNotNoted) {
					t.Fatalf("crash at step %d: the story ended with %v", at, err)
				}
				got := found(t, m.killed(), s.versions)
				if last := s.past[len(s.past)-1]; got != last && got != s.next {
					t.Errorf("kill at step %d (%s): found\n%s\nwant\n%s\nor\n%s", at, m.steps[len(m.steps)-1], got, last, s.next)
				}
			}
		})
	}
}

// SEMANTICS G5, power cut: what was synced is found; the rest may fall back, but to what the
// file was at one moment.
func TestPowerCutAtEveryStep(t *testing.T) {
	for name, steps := range stories {
		t.Run(name, func(t *testing.T) {
			for at := 1; at <= countSteps(t, steps); at++ {
				for seed := range uint64(20) {
					m := newMemFS()
					m.crashAt = at
					s, _ := tell(m, steps)
					r := rand.New(rand.NewPCG(uint64(at), seed))
					disk := m.powerCut(func(string, int) bool { return r.IntN(2) == 0 })
					got := found(t, disk, s.versions)
					if want := append(s.past[s.synced:], s.next); !slices.Contains(want, got) {
						t.Errorf("power cut at step %d (%s), seed %d: found\n%s\nwant one of\n%q", at, m.steps[len(m.steps)-1], seed, got, want)
					}
				}
			}
		})
	}
}

// A step that fails with ENOSPC or EIO refuses what was asked and harms nothing before it.
func TestFailureAtEveryStep(t *testing.T) {
	for name, steps := range stories {
		t.Run(name, func(t *testing.T) {
			for _, fault := range []error{unix.ENOSPC, unix.EIO} {
				for at := 1; at <= countSteps(t, steps); at++ {
					m := newMemFS()
					m.failAt, m.failErr = at, fault
					s, err := tell(m, steps)
					label := fmt.Sprintf("%v at step %d (%s)", fault, at, m.steps[at-1])
					if err == nil {
						t.Errorf("%s: not reported", label)
						continue
					}
					if fault == unix.ENOSPC && writes[m.steps[at-1]] && !errors.Is(err, ErrNoSpace) && !errors.Is(err, errNotNoted) {
						t.Errorf("%s: %v is not ErrNoSpace", label, err)
					}
					got := found(t, m.killed(), s.versions)
					if last := s.past[len(s.past)-1]; got != last && !(s.either && got == s.next) {
						t.Errorf("%s: found\n%s\nwant\n%s", label, got, last)
					}
				}
			}
		})
	}
}

// writes are the steps that a full disk fails.
var writes = map[string]bool{
	"write format": true, "write journal": true, "write data": true, "write ops": true, "reserve journal": true,
	"mkdir f-000001": true, "create journal": true, "create data": true, "sync journal": true, "sync data": true,
}

func countSteps(t *testing.T, steps func(*story) []func() error) int {
	t.Helper()
	m := newMemFS()
	s, err := tell(m, steps)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := m.ReadDir("/spool"); len(n) != 2 { // format and ops
		t.Fatalf("left in the spool: %v", n)
	}
	if last := s.past[len(s.past)-1]; last != "nothing" {
		t.Fatalf("the story ends with %s", last)
	}
	return len(m.steps)
}
