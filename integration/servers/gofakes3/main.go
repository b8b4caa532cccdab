// Gofakes3 serves S3 from memory by the library of that name, for the tests only: it is a server
// that ignores many conditions and says nothing about it.
//
//	gofakes3 ADDRESS
package main

import (
	"fmt"
	"net/http"
	"os"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gofakes3 ADDRESS")
		os.Exit(2)
	}
	err := http.ListenAndServe(os.Args[1], gofakes3.New(s3mem.New()).Server())
	fmt.Fprintln(os.Stderr, "gofakes3:", err)
	os.Exit(1)
}
