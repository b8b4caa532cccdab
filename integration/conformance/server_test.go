package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

const startLimit = 30 * time.Second

// built is where buildLocal builds; it is removed at the end.
var built string

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// buildLocal gives the path of latchfs-local: LATCHFS_LOCAL_BIN, else built now.
var buildLocal = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("LATCHFS_LOCAL_BIN"); path != "" {
		_, err := os.Stat(path)
		return path, err
	}
	var err error
	if built, err = os.MkdirTemp("", "latchfs-conformance-"); err != nil {
		return "", err
	}
	path := filepath.Join(built, "latchfs-local")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, "./latchfs-local")
	cmd.Dir = "../localserver"
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building latchfs-local: %w\n%s", err, out)
	}
	return path, nil
})

// A localServer is a latchfs-local over a folder of the test's own.
type localServer struct {
	program, dir string
	cmd          *exec.Cmd
}

// access is what server.json says.
type access struct {
	Address   string `json:"address"`
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
	Region    string `json:"region"`
	PID       int    `json:"pid"`
}

func startLocal(t *testing.T) (*localServer, access) {
	t.Helper()
	program, err := buildLocal()
	if err != nil {
		t.Fatal(err)
	}
	s := &localServer{program: program, dir: t.TempDir()}
	t.Cleanup(func() { s.stop(t, syscall.SIGTERM) })
	return s, s.start(t)
}

// start starts the program and waits for its server.json.
func (s *localServer) start(t *testing.T) access {
	t.Helper()
	s.cmd = exec.Command(s.program, "--stay", s.dir)
	s.cmd.Stderr = os.Stderr
	// The server must not outlive a test that is killed.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	for {
		var a access
		b, err := os.ReadFile(filepath.Join(s.dir, "server.json"))
		if err == nil {
			err = json.Unmarshal(b, &a)
		}
		if err == nil && a.PID == s.cmd.Process.Pid {
			return a
		}
		select {
		case <-ctx.Done():
			t.Fatalf("latchfs-local does not answer: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (s *localServer) stop(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Signal(sig)
	err := s.cmd.Wait()
	if sig == syscall.SIGTERM && err != nil {
		t.Errorf("latchfs-local ends on SIGTERM with %v", err)
	}
	s.cmd = nil
}
