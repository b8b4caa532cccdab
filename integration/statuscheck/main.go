// Statuscheck reads what go test -json printed and holds docs/STATUS.md against it.
//
//	go run ./integration/statuscheck -status docs/STATUS.md FILE...
//
// It prints the output of every test that failed and a line per package, and exits
// with 1 when a test failed or was skipped without being a part of another one, when a
// package did not build or ended early, or when a row of the table names a test that
// does not exist or did not pass. Rows that say "missing" are counted.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	status := flag.String("status", "docs/STATUS.md", "the table of promises and tests")
	flag.Parse()
	ok, err := run(os.Stdout, *status, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "statuscheck:", err)
		os.Exit(1)
	}
	if !ok {
		os.Exit(1)
	}
}
