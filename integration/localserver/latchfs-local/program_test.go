package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/localserver/serve"
)

// asProgram makes the test binary be latchfs-local.
const asProgram = "LATCHFS_LOCAL_TEST_PROGRAM"

const limit = 20 * time.Second // for anything to happen

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// A program is a running latchfs-local.
type program struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
	done           chan struct{}
}

func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{Cmd: exec.Command(os.Args[0], args...), done: make(chan struct{})}
	p.Env = append(os.Environ(), asProgram+"=1")
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.Process.Kill()
		<-p.done
	})
	return p
}

// exit waits for the program's end and gives its exit code.
func (p *program) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		t.Fatal("the program does not end")
	}
	return p.ProcessState.ExitCode()
}

func (p *program) stop(t *testing.T, sig syscall.Signal) int {
	t.Helper()
	p.Process.Signal(sig)
	return p.exit(t)
}

// access waits until server.json is that of the running program.
func (p *program) access(t *testing.T, dir string) serve.Access {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		a, err := readAccess(dir)
		if err == nil && a.PID == p.Process.Pid {
			return a
		}
		select {
		case <-p.done:
			t.Fatalf("the program ended: %s", p.stderr.String())
		case <-ctx.Done():
			t.Fatalf("no server.json: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func readAccess(dir string) (a serve.Access, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "server.json"))
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	return a, err
}

func TestBadUsage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "server.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "index.db"), bytes.Repeat([]byte("no index"), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no folder":           {nil, exitUsage, "give one folder"},
		"two folders":         {[]string{"a", "b"}, exitUsage, "give one folder"},
		"unknown flag":        {[]string{"--nothing", "a"}, exitUsage, "-nothing"},
		"no such port":        {[]string{"--port", "65536", "a"}, exitUsage, "there is no port 65536"},
		"negative grace":      {[]string{"--grace", "-1s", "a"}, exitUsage, "--grace"},
		"a file":              {[]string{file}, exitFailed, "not a directory"},
		"below a file":        {[]string{filepath.Join(file, "x")}, exitFailed, "not a directory"},
		"port taken":          {[]string{"--port", port, t.TempDir()}, exitFailed, "address already in use"},
		"broken server.json":  {[]string{broken}, exitFailed, "server.json"},
		"an index that isn't": {[]string{damaged}, exitFailed, "index.db"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, c.args...)
			if code := p.exit(t); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if s := p.stderr.String(); !strings.Contains(s, c.says) || strings.Count(s, "\n") != 1 {
				t.Errorf("says %q, want one line with %q", s, c.says)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	p := start(t, "--help")
	if code := p.exit(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for _, s := range []string{"usage: latchfs-local", "server.json", "-stay", "-grace", "-port"} {
		if !strings.Contains(p.stdout.String(), s) {
			t.Errorf("does not mention %s:\n%s", s, p.stdout.String())
		}
	}
}

func TestOneServerPerFolder(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "--stay", dir)
	a := p.access(t, dir)
	second := start(t, "--stay", dir)
	if code := second.exit(t); code != exitOK {
		t.Errorf("the second one exits with %d", code)
	}
	if s := second.stdout.String(); !strings.Contains(s, "another server serves it") {
		t.Errorf("the second one says %q", s)
	}
	if b, err := readAccess(dir); err != nil || a != b {
		t.Errorf("the second one changed server.json from %+v to %+v (%v)", a, b, err)
	}
	if code := p.stop(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("exit code %d on SIGTERM", code)
	}
}

// Somebody who looks whether a server lives must not keep one from starting.
func TestLockLookedAt(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	p := start(t, "--stay", dir)
	time.AfterFunc(50*time.Millisecond, func() { f.Close() })
	p.access(t, dir)
}

func TestAccessSurvives(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "--stay", dir)
	a := p.access(t, dir)
	for _, name := range []string{"server.json", "index.db", "server.log"} {
		if i, err := os.Stat(filepath.Join(dir, name)); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, i, err)
		}
	}
	if host, _, _ := net.SplitHostPort(a.Address); host != "127.0.0.1" || a.Region == "" || len(a.SecretKey) < 20 {
		t.Errorf("access %+v", a)
	}
	p.stop(t, syscall.SIGKILL)
	p = start(t, "--stay", dir)
	b := p.access(t, dir)
	if b.PID = a.PID; a != b {
		t.Errorf("after kill -9: %+v, before: %+v", b, a)
	}
	p.stop(t, syscall.SIGTERM)

	taken, err := net.Listen("tcp", a.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	p = start(t, "--stay", dir)
	c := p.access(t, dir)
	if c.Address == a.Address || c.AccessKey != a.AccessKey || c.SecretKey != a.SecretKey {
		t.Errorf("with the port taken: %+v, before: %+v", c, a)
	}
}

// A request that the front cannot read makes it print a line. Any user of the host can send such ones, so
// they go to the log, which is bounded, and not to standard error.
func TestUnreadableRequests(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "--stay", dir)
	a := p.access(t, dir)
	for range 20 {
		c, err := net.Dial("tcp", a.Address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "GET /%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if _, err := io.ReadAll(c); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(dir, "server.log"))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), "invalid URL escape"); n == 20 {
			break
		} else if time.Since(began) > 10*time.Second {
			t.Fatalf("%d of 20 requests in the log:\n%s", n, b)
		}
	}
	if code := p.stop(t, syscall.SIGTERM); code != exitOK || p.stderr.Len() > 0 {
		t.Errorf("exit code %d, standard error: %s", code, p.stderr.String())
	}
}

func TestLeavesWithoutUsers(t *testing.T) {
	const grace = time.Second
	dir := t.TempDir()
	users, err := os.OpenFile(filepath.Join(dir, "users"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer users.Close()
	if err := unix.Flock(int(users.Fd()), unix.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	p := start(t, "--grace", grace.String(), dir)
	p.access(t, dir)
	select {
	case <-p.done:
		t.Fatal("left although there is a user")
	case <-time.After(2 * grace):
	}
	left := time.Now()
	if err := unix.Flock(int(users.Fd()), unix.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if code := p.exit(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if d := time.Since(left); d < grace {
		t.Errorf("left after %s, the time of grace is %s", d, grace)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "--stay", dir)
	c := client(p.access(t, dir))
	body := bytes.NewReader(make([]byte, 100_000)) // too long to be kept in the index
	if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("data"), Key: aws.String("k"), Body: body}); err != nil {
		t.Fatal(err)
	}
	check := func(code int, says string) {
		t.Helper()
		q := start(t, "--check", dir)
		if got := q.exit(t); got != code || !strings.Contains(q.stdout.String()+q.stderr.String(), says) {
			t.Errorf("exit code %d, want %d; says %q, want %q", got, code, q.stdout.String()+q.stderr.String(), says)
		}
	}
	check(exitFailed, "another server serves it")
	p.stop(t, syscall.SIGTERM)
	check(exitOK, "no faults")
	files, err := filepath.Glob(filepath.Join(dir, "objects", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("content files %v, %v", files, err)
	}
	if err := os.Truncate(files[0], 99_999); err != nil {
		t.Fatal(err)
	}
	check(exitFailed, "99999 bytes, 100000 are referred to")
	dir = t.TempDir()
	check(exitFailed, "index.db: no such file")
}

// A request that hangs holds up the end for some time only, and a second signal ends the
// program at once.
func TestSecondSignal(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "--stay", dir)
	a := p.access(t, dir)
	conn, err := net.Dial("tcp", a.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The answer to the first request shows that the server has read the beginning of the second
	// one, which came with it: on a busy machine the signal could overtake what is still on its way.
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\nPUT /data/k HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	p.Process.Signal(syscall.SIGTERM)
	if p.ended(200 * time.Millisecond) {
		t.Fatal("a request that is under way is not waited for")
	}
	begun := time.Now()
	p.Process.Signal(syscall.SIGTERM)
	p.exit(t)
	if d := time.Since(begun); d > 2*time.Second {
		t.Errorf("the second signal took %s", d)
	}
}

// Connections on which no request is under way, used before or not, do not hold up the end.
func TestEndsAtOnce(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "--stay", dir)
	a := p.access(t, dir)
	for _, used := range []bool{false, true} {
		conn, err := net.Dial("tcp", a.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if !used {
			continue
		}
		if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	if code := p.stop(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if d := time.Since(begun); d > 3*time.Second {
		t.Errorf("the end took %s", d)
	}
	if p.stderr.Len() > 0 {
		t.Errorf("it said %q", p.stderr.String())
	}
}

func (p *program) ended(within time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(within):
		return false
	}
}
