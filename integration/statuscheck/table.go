package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// run reads the files, prints the report and checks the table.
func run(out io.Writer, status string, files []string) (bool, error) {
	if len(files) == 0 {
		return false, fmt.Errorf("no files with test results are named")
	}
	r, err := readFiles(files)
	if err != nil {
		return false, err
	}
	ok := r.report(out)
	if status == "" {
		return ok, nil
	}
	f, err := os.Open(status)
	if err != nil {
		return false, err
	}
	defer f.Close()
	rows, err := readTable(f)
	if err != nil {
		return false, fmt.Errorf("%s: %w", status, err)
	}
	return r.check(out, rows, filepath.Dir(filepath.Dir(status))) && ok, nil
}

func readFiles(files []string) (*results, error) {
	r := newResults()
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		err = r.read(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return r, nil
}

// recordResults writes text into the last column of the rows whose tests all passed.
func recordResults(status string, files []string, text string) error {
	r, err := readFiles(files)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(status)
	if err != nil {
		return err
	}
	rows, err := readTable(bytes.NewReader(content))
	if err != nil {
		return err
	}
	lines := strings.Split(string(content), "\n")
	for _, row := range rows {
		if row.mutation || !r.passed(row.tests) {
			continue
		}
		cells := strings.Split(strings.Trim(lines[row.line-1], "|"), "|")
		lines[row.line-1] = "|" + cells[0] + "|" + cells[1] + "| " + text + " |"
	}
	return os.WriteFile(status, []byte(strings.Join(lines, "\n")), 0o644)
}

// passed tells whether all tests, of which there is at least one, ran and passed.
func (r *results) passed(tests []string) bool {
	for _, test := range tests {
		if r.tests[test] != "pass" {
			return false
		}
	}
	return len(tests) > 0
}

// A row promises something and names the tests that hold it.
type row struct {
	promise  string
	tests    []string // none: missing
	line     int
	mutation bool // the promise is that the tests notice a fault; it has no last result
}

// readTable reads the rows of the tables "| promise | tests | last result |" and
// "| mutation | killed by |". Several tests are separated by commas.
func readTable(in io.Reader) ([]row, error) {
	var rows []row
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 2 && len(cells) != 3 {
			return nil, fmt.Errorf("line %d has %d columns, want 2 or 3", n, len(cells))
		}
		promise, tests := strings.TrimSpace(cells[0]), strings.TrimSpace(cells[1])
		if tests == "test" || tests == "killed by" || strings.Trim(tests, "-: ") == "" && promise != "" && strings.Trim(promise, "-: ") == "" {
			continue // heading and its rule
		}
		r := row{promise: promise, line: n, mutation: len(cells) == 2}
		if tests != "missing" {
			for name := range strings.SplitSeq(tests, ",") {
				r.tests = append(r.tests, strings.Trim(name, " `"))
			}
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 && lines.Err() == nil {
		return nil, fmt.Errorf("no table was found")
	}
	return rows, lines.Err()
}

// longExists tells whether test is a soak test or a longer one that the source has. These run apart
// from the others; what they last came to stands in the table.
func longExists(root, test string) bool {
	dir, name, _ := strings.Cut(test, ".")
	name, _, _ = strings.Cut(name, "/")
	if !strings.HasPrefix(name, "TestSoak") && !strings.HasPrefix(name, "TestLong") {
		return false
	}
	files, _ := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), "func "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}

// check prints the rows that do not hold and tells whether all do. root is the root of
// the source.
func (r *results) check(out io.Writer, rows []row, root string) bool {
	ok, missing, mutations := true, 0, 0
	for _, row := range rows {
		if row.mutation {
			mutations++
		}
		if len(row.tests) == 0 {
			missing++
			fmt.Fprintf(out, "missing: %s\n", row.promise)
		}
		for _, test := range row.tests {
			result, ran := r.tests[test]
			switch {
			case !ran && longExists(root, test):
			case !ran:
				ok = false
				fmt.Fprintf(out, "FAIL line %d, %s: there is no test %q, or it did not run\n", row.line, row.promise, test)
			case result != "pass":
				ok = false
				fmt.Fprintf(out, "FAIL line %d, %s: %s ended with %s\n", row.line, row.promise, test, result)
			}
		}
	}
	fmt.Fprintf(out, "%d promises and %d mutations, %d without a test\n", len(rows)-mutations, mutations, missing)
	return ok
}
