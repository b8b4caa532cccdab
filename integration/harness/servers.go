package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Region is the region that all servers are addressed by.
const Region = "us-east-1"

// An Endpoint is a running server and the keys it accepts.
type Endpoint struct {
	URL                  string
	AccessKey, SecretKey string
}

// A child is a server that the suite started.
type child struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
	held *os.File      // what keeps it from leaving by itself, if anything
}

// startChild starts a server that the whole run shares.
func (s *Suite) startChild(name string, cmd *exec.Cmd) (*child, error) {
	c, err := startChild(filepath.Join(s.root, "servers", name), name, cmd)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.children = append(s.children, c)
	s.mu.Unlock()
	return c, nil
}

// startChild starts a server in a directory of its own, with its output in a file there.
func startChild(dir, name string, cmd *exec.Cmd) (*child, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	c := &child{name: name, cmd: cmd, log: filepath.Join(dir, "log"), done: make(chan struct{})}
	log, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if cmd.Dir == "" {
		cmd.Dir = dir
	}
	// Servers leave files where they think it is temporary.
	cmd.Env = append(os.Environ(), append(cmd.Env, "HOME="+dir, "TMPDIR="+dir)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C at the terminal is the outer process's
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

// ready waits until probe succeeds.
func (c *child) ready(probe func() error) error {
	deadline := time.After(30 * time.Second)
	for {
		err := probe()
		if err == nil {
			return nil
		}
		select {
		case <-c.done:
			out, _ := os.ReadFile(c.log)
			return fmt.Errorf("%s ended at once: %s", c.name, out)
		case <-deadline:
			return fmt.Errorf("%s does not answer: %w", c.name, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stopServers ends all servers, the last one started first.
func (s *Suite) stopServers() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for i := len(s.children) - 1; i >= 0; i-- {
		errs = append(errs, s.children[i].stop())
	}
	return errors.Join(errs...)
}

// stop ends a server.
func (c *child) stop() error {
	if c.held != nil {
		c.held.Close()
	}
	c.cmd.Process.Signal(unix.SIGTERM)
	select {
	case <-c.done:
		return nil
	case <-time.After(20 * time.Second): // latchfs-local lets a hanging request have 10 s
		c.cmd.Process.Kill()
		<-c.done
		return fmt.Errorf("%s did not end on SIGTERM", c.name)
	}
}

// S3 is the S3 server of the tests: LATCHFS_TEST_S3 with the AWS_ keys of the
// environment, else latchfs-local.
func (s *Suite) S3() (Endpoint, error) {
	return s.s3.get(func() (Endpoint, error) {
		if url := os.Getenv("LATCHFS_TEST_S3"); url != "" {
			return Endpoint{url, os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")}, nil
		}
		return s.startLocal("s3")
	})
}

// startLocal starts a latchfs-local over a folder of its own.
func (s *Suite) startLocal(name string) (Endpoint, error) {
	program, err := s.LatchfsLocal()
	if err != nil {
		return Endpoint{}, err
	}
	dir := filepath.Join(s.root, "servers", name, "data")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Endpoint{}, err
	}
	users, err := os.OpenFile(filepath.Join(dir, "users"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return Endpoint{}, err
	}
	if err := unix.Flock(int(users.Fd()), unix.LOCK_SH); err != nil {
		return Endpoint{}, err
	}
	c, err := s.startChild(name, exec.Command(program, dir))
	if err != nil {
		return Endpoint{}, err
	}
	c.held = users
	var e Endpoint
	err = c.ready(func() (err error) {
		e, err = ReadServerJSON(dir)
		if err != nil {
			return err
		}
		return answers(e.URL)
	})
	return e, err
}

// ReadServerJSON tells how to reach the embedded server of a folder.
func ReadServerJSON(dir string) (Endpoint, error) {
	var a struct {
		Address   string `json:"address"`
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
	}
	b, err := os.ReadFile(filepath.Join(dir, "server.json"))
	if err != nil {
		return Endpoint{}, err
	}
	err = json.Unmarshal(b, &a)
	return Endpoint{"http://" + a.Address, a.AccessKey, a.SecretKey}, err
}

// The keys look like those of AWS because ministack checks their form.
var anyKeys = Endpoint{AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}

// DynamoDB is the lock table's server for whole-mount tests: LATCHFS_TEST_DYNAMODB,
// else ministack, which answers a failed condition with the old item, as AWS does.
func (s *Suite) DynamoDB() (Endpoint, error) {
	return s.dynamo.get(func() (Endpoint, error) {
		if url := os.Getenv("LATCHFS_TEST_DYNAMODB"); url != "" {
			return Endpoint{url, os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")}, nil
		}
		port, err := freePort()
		if err != nil {
			return Endpoint{}, err
		}
		ministack := foreignServers["ministack"]
		program, err := s.tool(ministack.program)
		if err != nil {
			return Endpoint{}, err
		}
		return s.anyKeyServer("ministack", ministack.command(program, "", port), port)
	})
}

// Dynalite is a second DynamoDB server, which answers a failed condition without the
// old item.
func (s *Suite) Dynalite() (Endpoint, error) {
	return s.dynalite.get(func() (Endpoint, error) {
		port, err := freePort()
		if err != nil {
			return Endpoint{}, err
		}
		script, err := s.tool("integration/dynalite/node_modules/dynalite/cli.js")
		if err != nil {
			return Endpoint{}, err
		}
		return s.anyKeyServer("dynalite", exec.Command("node", script, "--host", "127.0.0.1", "--port", port,
			"--createTableMs", "0", "--deleteTableMs", "0", "--updateTableMs", "0"), port)
	})
}

func (s *Suite) anyKeyServer(name string, cmd *exec.Cmd, port string) (Endpoint, error) {
	e := atPort(port)
	c, err := s.startChild(name, cmd)
	if err != nil {
		return e, err
	}
	return e, c.ready(func() error { return answers(e.URL) })
}

// atPort is a server that takes anyKeys.
func atPort(port string) Endpoint {
	e := anyKeys
	e.URL = "http://127.0.0.1:" + port
	return e
}

// tool gives the path of a server that the Makefile installs below the source.
func (s *Suite) tool(rel string) (string, error) {
	path := filepath.Join(s.source, rel)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not installed: make test-servers installs it, and make test what it needs itself", rel)
	}
	return path, nil
}

// answers tells whether an HTTP server answers anything at all.
func answers(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/", nil)
	if err != nil {
		return err
	}
	t := &http.Transport{DisableKeepAlives: true}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return err
	}
	io.Copy(io.Discard, resp.Body)
	return resp.Body.Close()
}

// freePort finds a port of the loopback interface that nobody listens on.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
