package mount

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/internal/statedir"
	"github.com/latchfs/latchfs/internal/volume"
)

// leavingFiles are open files of which this is left at the end.
type leavingFiles struct {
	files
	left []file.Left
	err  error
}

func (f leavingFiles) Shutdown(context.Context) ([]file.Left, error) { return f.left, f.err }

// closingLocks counts how often the lock session was closed.
type closingLocks struct {
	locks
	closed int
	err    error
}

func (l *closingLocks) Close(context.Context) error {
	l.closed++
	return l.err
}

// ending gives a mount that its end finds as the kernel left it, and its state directory.
func ending(t *testing.T, f files, l locks) (m *Mount, stateDir string) {
	t.Helper()
	stateDir = t.TempDir()
	m = &Mount{
		o: Options{Source: volume.Source{Bucket: "bucket"}, Mountpoint: t.TempDir(), StateDir: stateDir, ReadOnly: true},
		// Read-only for startRecoverer, which then has nothing to do.
		files: f, locks: l, volume: &volume.Volume{}, log: slog.New(slog.DiscardHandler),
	}
	var err error
	if m.dir, err = statedir.Create(stateDir, "session", statedir.Mount{Mountpoint: m.o.Mountpoint, Device: "0:99"}); err != nil {
		t.Fatal(err)
	}
	if m.spool, err = spool.Open(m.dir.Spool(), spool.Options{Limit: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	m.recoverer = m.startRecoverer()
	return m, stateDir
}

// A lock session is closed at the end, which frees its locks for others, unless a request
// may still land under one of them (LOCKS P2). The session directory stays as long as
// something is owed: bytes to the bucket, or the lock session its end.
func TestEndOfALockSession(t *testing.T) {
	lost := errors.New("shutdown failed")
	for _, c := range []struct {
		name     string
		left     []file.Left
		shutdown error // of Shutdown
		refused  error // of the lock table
		closed   int
		unsaved  bool
		fails    error
		stays    bool
	}{
		{name: "all is saved", closed: 1},
		{name: "a file is left that nobody answers for", closed: 0, unsaved: true, stays: true,
			left: []file.Left{{Key: "a", Reason: "open"}, {Key: "b", Reason: "no answer", Unanswered: true}}},
		{name: "files are left that were all answered", closed: 1, unsaved: true, stays: true,
			left: []file.Left{{Key: "a", Reason: "open"}, {Key: "b", Reason: "refused"}}},
		{name: "the lock table does not answer", closed: 1, refused: errors.New("no table"), stays: true},
		{name: "the shutdown fails", closed: 1, shutdown: lost, fails: lost, stays: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &closingLocks{err: c.refused}
			m, stateDir := ending(t, leavingFiles{left: c.left, err: c.shutdown}, l)
			err := m.finish(t.Context())
			if l.closed != c.closed {
				t.Errorf("the lock session was closed %d times, want %d", l.closed, c.closed)
			}
			_, unsaved := errors.AsType[*UnsavedError](err)
			switch {
			case unsaved != c.unsaved:
				t.Errorf("error %v, want an UnsavedError: %v", err, c.unsaved)
			case unsaved && !(strings.Contains(err.Error(), "b (0 B, ") && strings.Contains(err.Error(), "mount s3://bucket/ again")):
				t.Errorf("error %v names neither the file nor what saves it", err)
			case !unsaved && !errors.Is(err, c.fails):
				t.Errorf("error %v, want %v", err, c.fails)
			}
			if !c.stays {
				if _, err := os.Stat(m.dir.Path()); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the session directory: %v, want it removed", err)
				}
				return
			}
			left, err := statedir.TryTake(stateDir, "session")
			if err != nil {
				t.Fatalf("recovery takes the session directory: %v", err)
			}
			defer left.Close()
			if d := left.Mount().Device; d != "" {
				t.Errorf("the device number %s stays, and may become another mount's", d)
			}
		})
	}
}

// A read-only mount has no lock session.
func TestEndWithoutLocks(t *testing.T) {
	m, _ := ending(t, leavingFiles{}, nil)
	if err := m.finish(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(m.dir.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the session directory: %v, want it removed", err)
	}
}

func TestSaveThemIsACommandLine(t *testing.T) {
	const want = "mount 'local:/srv/my photos' again with --state-dir '/var/my state' to save them"
	if got := saveThem("local:/srv/my photos", "/var/my state"); !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
