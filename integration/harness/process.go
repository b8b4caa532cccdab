package harness

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// A Process is a program that runs beside the test.
type Process struct {
	env      *Env
	Cmd      *exec.Cmd
	Out, Err syncBuffer
	done     chan struct{}
	err      error
}

// Output is what an ended program said.
type Output struct {
	Out, Err string
	Code     int // -1: ended by a signal
}

// Start starts a command with an environment of its own: nothing of the caller's but
// PATH, so that no profile or variable of the developer's machine takes part.
func (e *Env) Start(cmd *exec.Cmd) *Process {
	e.Helper()
	p := &Process{env: e, Cmd: cmd, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.Out
	}
	cmd.Stderr = &p.Err
	if cmd.Env == nil {
		cmd.Env = e.Environ()
	}
	// A grandchild that keeps the pipes open must not keep Wait from returning.
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		e.Fatal(err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	e.processes = append(e.processes, p)
	return p
}

// kill ends the program if it has not ended yet.
func (p *Process) kill() {
	select {
	case <-p.done:
	default:
		p.Cmd.Process.Kill()
		<-p.done
	}
}

// Environ is the environment of every program that a test starts.
func (e *Env) Environ() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TERM=dumb", "HOME=" + e.Mkdir("home"), "TMPDIR=" + e.Mkdir("tmp"),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com", "AWS_EC2_METADATA_DISABLED=true",
	}
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits until the program has ended; after limit it kills it and fails the test.
func (p *Process) Wait(limit time.Duration) Output {
	p.env.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.Cmd.Process.Kill()
		<-p.done
		p.env.Fatalf("%s: still running after %s\n%s%s", strings.Join(p.Cmd.Args, " "), limit, p.Out.String(), p.Err.String())
	}
	o := Output{Out: p.Out.String(), Err: p.Err.String()}
	var exit *exec.ExitError
	switch {
	case errors.As(p.err, &exit):
		o.Code = exit.ExitCode()
	case p.err != nil:
		p.env.Fatalf("%s: %v", p.Cmd.Args[0], p.err)
	}
	return o
}

// Program starts a program of the test binary (NewSuite).
func (e *Env) Program(name string, args ...string) *Process {
	e.Helper()
	return e.Start(e.ProgramCommand(name, args...))
}

// ProgramCommand is the command that Program starts.
func (e *Env) ProgramCommand(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", append([]string{name}, args...)...)
	cmd.Env = append(e.Environ(), roleVar+"="+roleProgram)
	return cmd
}

// Run runs a command to its end.
func (e *Env) Run(limit time.Duration, name string, args ...string) Output {
	e.Helper()
	return e.Start(exec.Command(name, args...)).Wait(limit)
}

// Sh runs a bash script in dir and fails the test unless it exits with 0. The script
// stops at the first command that fails.
func (e *Env) Sh(dir, script string) string {
	e.Helper()
	o := e.TrySh(dir, script)
	if o.Code != 0 {
		e.Fatalf("exit code %d of: %s\n%s%s", o.Code, script, o.Out, o.Err)
	}
	return o.Out
}

// TrySh is Sh for scripts that may fail.
func (e *Env) TrySh(dir, script string) Output {
	e.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = dir
	return e.Start(cmd).Wait(2 * time.Minute)
}

// A syncBuffer is a buffer that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
