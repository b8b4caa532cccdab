package integration

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// appendProgram appends lines to a file, each with an open, a write and a close of its
// own, and prints those whose close returned 0.
func appendProgram(args []string) int {
	path, tag := args[0], args[1]
	lines, err := strconv.Atoi(args[2])
	if err != nil {
		return 2
	}
	for i := range lines {
		line := fmt.Sprintf("%s %d %s\n", tag, i, strings.Repeat("x", i%80))
		if err := appendLine(path, line); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Print(line)
	}
	return 0
}

func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(line); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// TestAppend: four processes on each of two hosts append 25 lines each.
func TestAppend(t *testing.T) {
	t.Parallel()
	testAppend(t, 25)
}

// TestSoakAppend is TestAppend with 100 lines each.
func TestSoakAppend(t *testing.T) { testAppend(t, 100) }

// SEMANTICS G1, G2, G4
func testAppend(t *testing.T, lines int) {
	e := suite.New(t)
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	var writers []*harness.Process
	for _, name := range []string{"one", "two"} {
		h := b.Mount(name, "--lock-timeout", "10m")
		for i := range 4 {
			writers = append(writers, h.Program("append", h.Path("log"), fmt.Sprintf("%s-%d", name, i), strconv.Itoa(lines)))
		}
	}
	want := map[string]int{}
	for _, w := range writers {
		o := w.Wait(10 * time.Minute)
		if o.Code != 0 {
			t.Errorf("a program failed: %s", o.Err)
		}
		for line := range strings.Lines(o.Out) {
			want[line]++
		}
	}
	got := map[string]int{}
	for line := range strings.Lines(b.Content("log")) {
		got[line]++
	}
	if !maps.Equal(got, want) {
		for _, line := range slices.Sorted(maps.Keys(want)) {
			if got[line] != 1 {
				t.Errorf("acknowledged, and there %d times: %q", got[line], line)
			}
		}
		for line := range got {
			if want[line] == 0 {
				t.Errorf("never written: %q", line)
			}
		}
	}
	if len(want) != 8*lines {
		t.Errorf("%d lines were acknowledged, want %d", len(want), 8*lines)
	}
}
