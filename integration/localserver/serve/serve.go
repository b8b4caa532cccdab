package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/versity/versitygw/s3api"

	"github.com/latchfs/latchfs/integration/localserver/flatstore"
)

// Buckets that every folder has.
const (
	dataBucket  = "data"  // versioned
	locksBucket = "locks" // not versioned
)

// DefaultGrace is how long a server stays without users.
const DefaultGrace = 10 * time.Second

const (
	userPoll    = 500 * time.Millisecond
	answerPoll  = 2 * time.Millisecond
	answerLimit = 10 * time.Second
	portTries   = 5
)

// Options are how to serve a folder.
type Options struct {
	Dir   string
	Port  int           // to listen on; 0: that of the last time, or any
	Stay  bool          // also without users
	Grace time.Duration // to stay without users
}

// Run serves a folder until ctx ends, or until it has had no users for the time of
// grace. ErrServed means that there was nothing to do.
func Run(ctx context.Context, o Options) (err error) {
	lock, err := takeFolder(o.Dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	logs, err := openLog(filepath.Join(o.Dir, logFile))
	if err != nil {
		return err
	}
	defer logs.Close()
	log := slog.New(slog.NewTextHandler(logs, nil))
	defer func() {
		if err != nil {
			log.Error("the server ends", "err", err)
		}
	}()
	access, err := loadAccess(o.Dir)
	if err != nil {
		return err
	}
	store, err := flatstore.Open(o.Dir, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for name, versioned := range map[string]bool{dataBucket: true, locksBucket: false} {
		if err := store.EnsureBucket(name, access.AccessKey, versioned); err != nil {
			return fmt.Errorf("creating the bucket %s: %w", name, err)
		}
	}
	return listen(ctx, o, store, access, log)
}

// Check looks for faults in a folder that nobody serves, and gives what it finds.
func Check(dir string) (faults []string, err error) {
	if _, err := os.Stat(filepath.Join(dir, "index.db")); err != nil {
		return nil, err
	}
	lock, err := takeFolder(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	store, err := flatstore.Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return store.Fsck()
}

// listen serves on the port asked for, or on that of the last time if it is free, or
// else on another one.
func listen(ctx context.Context, o Options, store *flatstore.Store, access Access, log *slog.Logger) error {
	port := o.Port
	if port == 0 {
		port = access.port()
	}
	for try := 0; ; try++ {
		if port == 0 {
			var err error
			if port, err = freePort(); err != nil {
				return fmt.Errorf("looking for a port: %w", err)
			}
		}
		access.Address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		err := serveAt(ctx, o, store, access, log)
		if !errors.Is(err, syscall.EADDRINUSE) || o.Port != 0 || try == portTries {
			return err
		}
		log.Info("the port is taken, looking for another one", "port", port)
		port = 0
	}
}

// serveAt serves on one address.
func serveAt(ctx context.Context, o Options, store *flatstore.Store, access Access, log *slog.Logger) error {
	users, err := watchUsers(o.Dir, o.Grace)
	if err != nil {
		return err
	}
	defer users.Close()
	front, err := newFront(store, access, func() {})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- front.ServeMultiPort([]string{access.Address}) }()
	if err := answering(ctx, access.Address, ended); err != nil {
		return fmt.Errorf("listening on %s: %w", access.Address, err)
	}
	if err := access.save(o.Dir); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Join(o.Dir, accessFile), err)
	}
	log.Info("serving", "address", access.Address)
	tick := time.NewTicker(userPoll)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("serving on %s: %w", access.Address, err)
		case <-ctx.Done():
			log.Info("asked to end")
			end(front, log)
			return nil
		case now := <-tick.C:
			if o.Stay {
				continue
			}
			gone, err := users.deserted(now)
			if err != nil {
				end(front, log)
				return err
			}
			if gone {
				log.Info("nobody uses the folder any more")
				end(front, log)
				return nil
			}
		}
	}
}

// end lets the requests that are under way finish, but not for ever: one that hangs gets
// no answer, which is no failure of ours.
func end(front *s3api.S3ApiServer, log *slog.Logger) {
	if err := front.ShutDown(); err != nil {
		log.Warn("requests are broken off", "err", err)
	}
}

// answering waits until the server answers as S3 does to a stranger.
func answering(ctx context.Context, address string, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	t := &http.Transport{DisableKeepAlives: true}
	defer t.CloseIdleConnections()
	for {
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(answerPoll):
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			return err
		}
		resp, err := t.RoundTrip(req)
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			continue
		}
		select { // somebody else may have answered, who has the port
		case err := <-ended:
			return err
		default:
			return nil
		}
	}
}
