package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v3"

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
	userPoll = 500 * time.Millisecond
	endLimit = 10 * time.Second // for requests that are under way at the end
)

// Options are how to serve a folder.
type Options struct {
	Dir   string
	Port  int           // to listen on; 0: that of the last time, or any
	Stay  bool          // also without users
	Grace time.Duration // to stay without users
	// Printed, if set, is what the libraries print to standard error. It goes to the log of the folder.
	Printed io.Reader
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
	if o.Printed != nil {
		go keepPrinted(logs, o.Printed)
	}
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
	l, err := listenOn(port)
	if errors.Is(err, syscall.EADDRINUSE) && o.Port == 0 {
		log.Info("the port is taken, looking for another one", "port", port)
		l, err = listenOn(0)
	}
	if err != nil {
		return err
	}
	defer l.Close()
	access.Address = l.Addr().String()
	return serveOn(ctx, l, o, store, access, log)
}

// serveOn serves until the listener is to be closed.
func serveOn(ctx context.Context, l *listener, o Options, store *flatstore.Store, access Access, log *slog.Logger) error {
	users, err := watchUsers(o.Dir, o.Grace)
	if err != nil {
		return err
	}
	defer users.Close()
	front, err := newFront(store, access)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- front.Listener(l, fiber.ListenConfig{DisableStartupMessage: true}) }()
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
func end(front *fiber.App, log *slog.Logger) {
	if err := front.ShutdownWithTimeout(endLimit); err != nil {
		log.Warn("requests are broken off", "err", err)
	}
}
