package localserver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary stands for latchfs-local when it is called by that name: it keeps the
// agreement of doc.go and counts its starts in DIR.starts.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == program {
		if err := fakeServer(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// refuseVar is the environment variable with the reason why the server does not start.
const refuseVar = "LATCHFS_TEST_REFUSE"

// startsOf is the file with a line for each start of the server of dir.
func startsOf(dir string) string { return dir + ".starts" }

func fakeServer(dir string) error {
	if why := os.Getenv(refuseVar); why != "" {
		return errors.New(why)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("another server has %s: %w", dir, err)
	}
	starts, err := os.OpenFile(startsOf(dir), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	fmt.Fprintln(starts, os.Getpid())
	address := "127.0.0.1:0"
	if old, err := (&Server{dir: dir}).read(); err == nil {
		address = old.Address
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	b, err := json.Marshal(Access{Address: l.Addr().String(), AccessKey: "k", SecretKey: "s", Region: "local", PID: os.Getpid()})
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, "server.json.new")
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(dir, "server.json")); err != nil {
		return err
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	users, err := os.OpenFile(filepath.Join(dir, "users"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return unix.Flock(int(users.Fd()), unix.LOCK_EX) // until the last user is gone
}

// install puts the fake beside nothing and into PATH.
func install(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, program)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
}

func pids(t *testing.T, dir string) []string {
	t.Helper()
	f, err := os.Open(startsOf(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []string
	for s := bufio.NewScanner(f); s.Scan(); {
		all = append(all, s.Text())
	}
	return all
}

func open(t *testing.T, dir string) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := Open(ctx, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func TestUsersShareOneServerThatLeavesWithTheLast(t *testing.T) {
	install(t)
	dir := filepath.Join(t.TempDir(), "made")
	var wg sync.WaitGroup
	servers := make([]*Server, 4)
	for i := range servers {
		wg.Go(func() { servers[i] = open(t, dir) })
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, s := range servers {
		if s.Access != servers[0].Access || s.Endpoint() != "http://"+s.Address || s.AccessKey != "k" {
			t.Errorf("access %+v differs from %+v", s.Access, servers[0].Access)
		}
	}
	if got := pids(t, dir); len(got) != 1 {
		t.Errorf("servers that had the folder: %v, want one", got)
	}
	for _, s := range servers[1:] {
		s.Close()
	}
	if free(filepath.Join(dir, "lock")) {
		t.Error("the server left although it has a user")
	}
	servers[0].Close()
	eventually(t, "the server leaves", func() bool { return free(filepath.Join(dir, "lock")) })
}

func TestDeadServerIsStartedAgain(t *testing.T) {
	install(t)
	dir := t.TempDir()
	s := open(t, dir)
	defer s.Close()
	if err := unix.Kill(s.PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another server answers", func() bool {
		a, err := s.read()
		return err == nil && a.PID != s.PID && answers(t.Context(), a)
	})
	a, err := s.read()
	if err != nil || a.Address != s.Address {
		t.Errorf("it answers at %s, %v; before at %s", a.Address, err, s.Address)
	}
}

func TestServerThatCannotStartSaysWhy(t *testing.T) {
	install(t)
	t.Setenv(refuseVar, "index.db is not mine")
	dir := t.TempDir()
	made := filepath.Join(dir, "a", "b")
	_, err := Open(t.Context(), made, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "index.db is not mine") {
		t.Errorf("error: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestMissingProgramLeavesNothing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	dir := filepath.Join(t.TempDir(), "data")
	_, err := Open(t.Context(), dir, slog.New(slog.DiscardHandler))
	if !errors.Is(err, ErrNoProgram) {
		t.Errorf("error: %v, want ErrNoProgram", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("the folder was made although nothing can serve it")
	}
}
