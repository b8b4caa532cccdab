package harness

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
)

// The environment variables by which the processes of one run find each other.
const (
	roleVar = "LATCHFS_TEST_ROLE"
	rootVar = "LATCHFS_TEST_ROOT"
)

// Roles of a process of the test binary.
const (
	roleSupervisor = "supervisor"
	roleTest       = "test"
	roleProgram    = "program"
	roleHost       = "host"
)

// A Program is code of the test binary that runs as a process of its own; it returns
// its exit code.
type Program func(args []string) int

// A Suite is what all tests of one binary share: the temporary root, the binaries under
// test and the servers, each started when a test first asks for it.
type Suite struct {
	programs map[string]Program
	root     string // temporary root of the run
	source   string // root of the main module

	latchfs  once[string]
	local    once[string]
	backdate once[string]
	s3       once[Endpoint]
	dynamo   once[Endpoint]
	dynalite once[Endpoint]

	mu       sync.Mutex
	children []*child // servers, in the order of their start
}

// NewSuite makes a suite whose tests may run the given programs.
func NewSuite(programs map[string]Program) *Suite {
	return &Suite{programs: programs, root: os.Getenv(rootVar)}
}

// Main is to be called by TestMain, as its last step.
func (s *Suite) Main(m *testing.M) {
	switch role := os.Getenv(roleVar); role {
	case "":
		os.Exit(outer())
	case roleSupervisor:
		os.Exit(supervise(s.root))
	case roleHost:
		fmt.Fprintln(os.Stderr, asHost(os.Args[1], os.Args[2:]))
		os.Exit(125)
	case roleProgram:
		run := s.programs[os.Args[1]]
		if run == nil {
			fmt.Fprintf(os.Stderr, "no program %q in this test binary\n", os.Args[1])
			os.Exit(125)
		}
		os.Exit(run(os.Args[2:]))
	case roleTest:
	default:
		fmt.Fprintf(os.Stderr, "%s=%q: no such role\n", roleVar, role)
		os.Exit(125)
	}
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		// The tests wait more than they work: for leases to end and processes to answer.
		flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0)))
	}
	code := 1
	var err error
	if s.source, err = moduleRoot(); err == nil {
		code = m.Run()
		err = s.stopServers()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// moduleRoot finds the main module above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == "/" {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
	}
}

// once holds what is made at first use and then shared, the failure included.
type once[T any] struct {
	once sync.Once
	v    T
	err  error
}

func (o *once[T]) get(make func() (T, error)) (T, error) {
	o.once.Do(func() { o.v, o.err = make() })
	return o.v, o.err
}

// Root is the temporary root of the run.
func (s *Suite) Root() string { return s.root }
