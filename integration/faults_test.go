package integration

import (
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/latchfs/latchfs/integration/harness"
)

// loseFirst lets the server act on the first request of that method for a path with
// that end, and loses its answer.
func loseFirst(method, end string) func(*http.Request) harness.Fault {
	var lost atomic.Bool
	return func(r *http.Request) harness.Fault {
		if r.Method == method && strings.HasSuffix(r.URL.Path, end) && !lost.Swap(true) {
			return harness.LoseReply
		}
		return harness.Pass
	}
}

// on makes every request that changes an object with that end of its path fail so.
func on(end string, fault harness.Fault) func(*http.Request) harness.Fault {
	return func(r *http.Request) harness.Fault {
		if harness.Mutation(r) && strings.HasSuffix(r.URL.Path, end) {
			return fault
		}
		return harness.Pass
	}
}

// all makes every request fail so.
func all(fault harness.Fault) func(*http.Request) harness.Fault {
	return func(*http.Request) harness.Fault { return fault }
}
