package integration

import (
	"testing"

	"github.com/latchfs/latchfs/integration/chaos"
	"github.com/latchfs/latchfs/integration/contest"
	"github.com/latchfs/latchfs/integration/harness"
)

// suite is shared by all tests: the servers it starts are.
var suite = harness.NewSuite(map[string]harness.Program{
	"append":     appendProgram,
	"chaos":      chaos.Worker,
	"contest":    contest.Worker,
	"counter":    counterProgram,
	"files":      filesProgram,
	"foreign":    foreignProgram,
	"load":       loadProgram,
	"posix":      posixProgram,
	"rival":      rivalProgram,
	"stream":     streamProgram,
	"two mounts": twoMountsProgram,
})

func TestMain(m *testing.M) { suite.Main(m) }
