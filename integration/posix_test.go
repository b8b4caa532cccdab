package integration

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/posixtest"

	"github.com/latchfs/latchfs/integration/harness"
)

// posixProgram runs go-fuse's posixtest in a directory, each test in one of its own. It
// is a process of its own because a hanging system call must not hang the test.
func posixProgram(args []string) int {
	dir := args[0]
	var tests []testing.InternalTest
	for _, name := range slices.Sorted(maps.Keys(posixtest.All)) {
		tests = append(tests, testing.InternalTest{Name: name, F: func(t *testing.T) {
			sub := filepath.Join(dir, name)
			if err := os.MkdirAll(sub, 0o755); err != nil {
				t.Fatal(err)
			}
			posixtest.All[name](t, sub)
		}})
	}
	// OpenSymlinkRace makes 4,000 changes of names, which is most of the time: three minutes
	// were not enough beside four busy loops.
	os.Args = []string{"posixtest", "-test.v=test2json", "-test.timeout=8m"}
	testing.Main(func(string, string) (bool, error) { return true, nil }, tests, nil, nil)
	return 0 // testing.Main exits by itself
}

// TestPOSIX compares posixtest on a mount with testdata/posixtest.txt, the list of what
// is known to fail and why. A skipped test counts as one that fails; one that is on the
// list and passes fails this test, so that the list stays true.
func TestPOSIX(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one").Expect("ENOLCK|flock|fcntl|not supported|refused")
	expected, err := readExpected("testdata/posixtest.txt")
	e.Must(err)

	suiteCmd := e.ProgramCommand("posix", h.Mountpoint)
	// test2json makes of it what go test -json prints.
	cmd := exec.Command("go", append([]string{"tool", "test2json", "-p", "posixtest"}, suiteCmd.Args...)...)
	cmd.Env = append(suiteCmd.Env, "GOCACHE="+goEnv(e, "GOCACHE"))
	cmd.Args[len(cmd.Args)-len(suiteCmd.Args)] = self(e)
	o := e.Start(cmd).Wait(9 * time.Minute)
	results := map[string]string{}
	output := map[string]string{}
	for line := range strings.Lines(o.Out) {
		var event struct{ Action, Test, Output string }
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		switch name, _, sub := strings.Cut(event.Test, "/"); {
		case event.Test == "":
		case event.Action == "output":
			output[name] += event.Output
		case sub:
			// The whole fails with its part; of a skipped part the whole would not tell.
			if event.Action == "skip" {
				results[name] = "skip"
			}
		case event.Action == "pass" || event.Action == "fail" || event.Action == "skip":
			results[name] = cmp.Or(results[name], event.Action)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(posixtest.All)) {
		result := cmp.Or(results[name], "no result")
		_, known := expected[name]
		switch {
		case result == "pass" && known:
			t.Errorf("%s passes: take it off the list", name)
		case result != "pass" && !known:
			t.Errorf("%s: %s\n%s", name, result, output[name])
		}
	}
	for name := range expected {
		if posixtest.All[name] == nil {
			t.Errorf("%s is on the list, but there is no such test", name)
		}
	}
	if len(results) == 0 {
		t.Errorf("exit code %d: %s%s", o.Code, o.Out, o.Err)
	}
}

// readExpected reads the list of expected failures: name, reason and the issue that
// will end it, separated by " | ".
func readExpected(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(line, " | ")
		if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
			return nil, fmt.Errorf("%s: %q is not name | reason | issue", path, line)
		}
		list[strings.TrimSpace(parts[0])] = parts[1]
	}
	return list, nil
}

func goEnv(e *harness.Env, name string) string {
	e.Helper()
	out, err := exec.Command("go", "env", name).Output()
	e.Must(err)
	return strings.TrimSpace(string(out))
}

// self is the path of the test binary, which /proc/self/exe would not be in a program
// that the go command starts.
func self(e *harness.Env) string {
	e.Helper()
	path, err := os.Executable()
	e.Must(err)
	return path
}
