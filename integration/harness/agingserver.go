package harness

import (
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// An AgingServer is an embedded S3 server of its own whose versions can be made older, for tests of
// a history of days.
type AgingServer struct {
	Endpoint
	env   *Env
	dir   string
	port  string
	child *child
}

// AgingServer starts a server that ends with the test.
func (e *Env) AgingServer() *AgingServer {
	e.Helper()
	port, err := freePort()
	e.Must(err)
	s := &AgingServer{env: e, dir: e.Mkdir("aging"), port: port}
	s.start()
	return s
}

func (s *AgingServer) start() {
	s.env.Helper()
	program, err := s.env.Suite.LatchfsLocal()
	s.env.Must(err)
	s.child, err = startChild(filepath.Join(s.env.Dir, "server-aging"), "latchfs-local",
		exec.Command(program, "--stay", "--port", s.port, s.dir))
	s.env.Must(err)
	s.env.servers = append(s.env.servers, s.child)
	s.env.Must(s.child.ready(func() error {
		e, err := ReadServerJSON(s.dir)
		if err != nil {
			return err
		}
		s.Endpoint = e
		return answers(e.URL)
	}))
}

// Age makes all versions of a bucket older. The server is stopped for it and has the same address
// afterwards, so that nobody may use it meanwhile.
func (s *AgingServer) Age(bucket string, by time.Duration) {
	s.env.Helper()
	program, err := s.env.Suite.Backdate()
	s.env.Must(err)
	s.env.Must(s.child.stop())
	s.env.servers = slices.DeleteFunc(s.env.servers, func(c *child) bool { return c == s.child })
	if o := s.env.Run(time.Minute, program, s.dir, bucket, by.String()); o.Code != 0 {
		s.env.Fatalf("backdate: %s", o.Err)
	}
	s.start()
}
