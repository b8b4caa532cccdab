// Statuscheck reads what go test -json printed and holds docs/STATUS.md against it.
//
//	go run ./integration/statuscheck -status docs/STATUS.md FILE...
//
// It prints the output of every test that failed and a line per package, and exits
// with 1 when a test failed or was skipped without being a part of another one, when a
// package did not build or ended early, or when a row of the table names a test that
// does not exist or did not pass. Rows that say "missing" are counted.
//
// With -record it also writes the last column of every row whose tests all ran and passed:
// the day, and that they did.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	status := flag.String("status", "docs/STATUS.md", "the table of promises and tests; none: only the report")
	record := flag.Bool("record", false, "write the last column")
	flag.Parse()
	ok, err := run(os.Stdout, *status, flag.Args())
	if err == nil && *record {
		err = recordResults(*status, flag.Args(), time.Now().UTC().Format(time.DateOnly)+" pass")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "statuscheck:", err)
		os.Exit(1)
	}
	if !ok {
		os.Exit(1)
	}
}
