package localserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/wait"
)

// Buckets that every server keeps.
const (
	DataBucket  = "data"  // versioned
	LocksBucket = "locks" // not versioned
)

const (
	startTimeout = 20 * time.Second       // until a started server has to answer
	startPoll    = 20 * time.Millisecond  // between looks for server.json
	watchPoll    = 200 * time.Millisecond // between looks whether the server lives: creates wait 1 s
	maxStarts    = 3                      // of a server that ends at once
)

// accessFile is where a server of a folder says how to reach it. It stays when the server leaves.
const accessFile = "server.json"

// An Access is the content of server.json.
type Access struct {
	Address   string `json:"address"` // host:port
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
	Region    string `json:"region"`
	PID       int    `json:"pid"`
}

// Endpoint is the URL of the server.
func (a Access) Endpoint() string { return "http://" + a.Address }

// A Server is a running server that we use. It stays until all its users are gone.
type Server struct {
	Access
	dir     string
	program string
	users   *os.File
	log     *slog.Logger
	stop    context.CancelFunc
	watched chan struct{}

	made    []string        // the directories that Open made, the outermost first
	process *os.Process     // of the server, if we started it
	exited  <-chan struct{} // closes when that ends
}

// Served tells whether the folder dir has ever been a served one. Open would make it one.
func Served(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, accessFile))
	return err == nil
}

// Open makes the folder dir a served one: it starts the server if none answers, and
// watches it until Close.
func Open(ctx context.Context, dir string, log *slog.Logger) (_ *Server, err error) {
	s := &Server{dir: dir, log: log, watched: make(chan struct{})}
	if s.program, err = find(); err != nil {
		return nil, err
	}
	if s.made, err = makeFolder(dir); err != nil {
		return nil, err
	}
	if s.users, err = join(ctx, filepath.Join(dir, "users")); err != nil {
		s.forget()
		return nil, err
	}
	if s.Access, err = s.ensure(ctx); err != nil {
		s.forget()
		s.users.Close()
		return nil, err
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go s.watch(watch)
	return s, nil
}

// Close ends our use of the server, which leaves when it has no user for 10 s.
func (s *Server) Close() error {
	s.stop()
	<-s.watched
	return s.users.Close()
}

// join takes the shared flock that keeps the server from leaving. A server holds it
// exclusively only to leave, so this is short.
func join(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			if errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.EOPNOTSUPP) {
				err = fmt.Errorf("%w: name a folder on a local disk", err)
			}
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if !wait.For(ctx, startPoll, nil) {
			f.Close()
			return nil, fmt.Errorf("waiting for the server of %s to leave: %w", filepath.Dir(path), ctx.Err())
		}
	}
}

// ensure gives the access to a server that answers, starting one if need be.
func (s *Server) ensure(ctx context.Context) (Access, error) {
	if a, err := s.read(); err == nil && answers(ctx, a) {
		return a, nil
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	exited, err := s.start()
	if err != nil {
		return Access{}, err
	}
	for starts := 1; ; {
		if a, err := s.read(); err == nil && answers(ctx, a) {
			return a, nil
		}
		select {
		case <-exited:
			// It lost the folder to another one, whose server.json is about to answer, or
			// to one that was just dying: only a folder that stays free is a failure.
			if !free(filepath.Join(s.dir, "lock")) {
				exited = nil
				continue
			}
			if starts == maxStarts {
				return Access{}, fmt.Errorf("%s ended at once: %s", program, s.lastWords())
			}
			starts++
			if exited, err = s.start(); err != nil {
				return Access{}, err
			}
		case <-ctx.Done():
			return Access{}, fmt.Errorf("%s does not answer for %s: see %s and server.log beside it", program, s.dir, s.logPath())
		case <-time.After(startPoll):
		}
	}
}

func (s *Server) read() (Access, error) {
	var a Access
	b, err := os.ReadFile(filepath.Join(s.dir, accessFile))
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return a, fmt.Errorf("%s: %w", filepath.Join(s.dir, accessFile), err)
	}
	return a, nil
}

// answers asks for the list of buckets without credentials, which an S3 server refuses
// with 403: any answer of that kind will do.
func answers(ctx context.Context, a Access) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Endpoint()+"/", nil)
	if err != nil {
		return false
	}
	// A transport of its own: no proxy, no connection that outlives the question.
	t := &http.Transport{DisableKeepAlives: true}
	defer t.CloseIdleConnections()
	resp, err := t.RoundTrip(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusForbidden
}

// watch starts the server again whenever it is gone: clients go on with the same
// address and keys, which survive a restart.
func (s *Server) watch(ctx context.Context) {
	defer close(s.watched)
	tick := time.NewTicker(watchPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// A stopped server still takes connections, and must not get a second one beside it.
		if c, err := net.DialTimeout("tcp", s.Address, 2*time.Second); err == nil {
			c.Close()
			continue
		}
		s.log.Warn("the local server is gone, starting it again", "dir", s.dir)
		a, err := s.ensure(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Error("starting the local server again", "dir", s.dir, "err", err)
		case a.Address != s.Address:
			s.log.Error("the local server came back at another address: mount again", "was", s.Address, "is", a.Address)
		}
	}
}
