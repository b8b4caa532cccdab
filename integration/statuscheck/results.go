package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

const module = "github.com/latchfs/latchfs/"

// results is what the tests of all files came to.
type results struct {
	tests    map[string]string // by package.Test or package.Test/part: pass, fail, skip, or run where it never ended
	packages map[string]*pkg
	builds   map[string]*strings.Builder // compiler output of what did not build
}

type pkg struct {
	result  string // pass, fail, skip (no tests), or "" where it never ended
	seconds float64
	output  map[string]*strings.Builder // by test; "" is the package's own
}

func newResults() *results {
	return &results{tests: map[string]string{}, packages: map[string]*pkg{}, builds: map[string]*strings.Builder{}}
}

// An event is one line of test2json (go doc test2json, go help buildjson).
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

// read adds the events of one file.
func (r *results) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		r.add(e)
	}
	return lines.Err()
}

func (r *results) add(e event) {
	if strings.HasPrefix(e.Action, "build-") {
		if r.builds[e.ImportPath] == nil {
			r.builds[e.ImportPath] = &strings.Builder{}
		}
		r.builds[e.ImportPath].WriteString(e.Output)
		return
	}
	p := r.packages[e.Package]
	if p == nil {
		p = &pkg{output: map[string]*strings.Builder{}}
		r.packages[e.Package] = p
	}
	name := short(e.Package) + "." + e.Test
	switch e.Action { // what has failed in one file stays so if it passes in another one
	case "output":
		if p.output[e.Test] == nil {
			p.output[e.Test] = &strings.Builder{}
		}
		p.output[e.Test].WriteString(e.Output)
	case "run", "pass", "fail", "skip":
		// What failed once has failed: each target of a package is fuzzed by a run of its own,
		// and the test of that name runs its corpus in another one.
		switch {
		case e.Test != "" && r.tests[name] != "fail":
			r.tests[name] = e.Action
		case e.Test == "" && p.result != "fail":
			p.result, p.seconds = e.Action, e.Elapsed
		}
	}
}

// short is a package's path from the root of its module.
func short(path string) string {
	path = strings.TrimPrefix(path, module)
	return strings.TrimPrefix(path, "integration/localserver/")
}

// report prints what went wrong and tells whether nothing did.
func (r *results) report(out io.Writer) bool {
	ok := true
	for _, path := range slices.Sorted(maps.Keys(r.builds)) {
		if text := r.builds[path].String(); text != "" {
			ok = false
			fmt.Fprintf(out, "--- does not build: %s\n%s", path, text)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(r.packages)) {
		p := r.packages[path]
		good := p.result == "pass" || p.result == "skip"
		for _, test := range slices.Sorted(maps.Keys(p.output)) {
			switch result := r.tests[short(path)+"."+test]; {
			case test == "" && !good:
				fmt.Fprintf(out, "--- %s:\n%s", path, p.output[test])
			case test != "" && result != "pass":
				// A skipped test proves nothing, whatever its reason.
				good = false
				fmt.Fprintf(out, "--- %s: %s %s\n%s", result, path, test, p.output[test])
			}
		}
		if !good {
			ok = false
			fmt.Fprintf(out, "FAIL %s %.1fs\n", path, p.seconds)
		} else if p.result == "pass" {
			fmt.Fprintf(out, "ok   %s %.1fs\n", path, p.seconds)
		}
	}
	return ok
}
