// Backdate makes the versions of a bucket of an embedded server older, for tests of history:
//
//	backdate DIR BUCKET DURATION
//
// The server has to be stopped.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/latchfs/latchfs/integration/localserver/flatstore"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: backdate DIR BUCKET DURATION")
		os.Exit(2)
	}
	by, err := time.ParseDuration(os.Args[3])
	if err == nil {
		err = flatstore.Backdate(os.Args[1], os.Args[2], by)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "backdate:", err)
		os.Exit(1)
	}
}
