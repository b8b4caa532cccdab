package cli

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/logfile"
	"github.com/latchfs/latchfs/internal/mount"
)

// The log of background mounts: at 8 MiB it is set aside as latchfs.log.1, and three such files are
// kept, 32 MiB in all.
const (
	maxLog   = 8 << 20
	olderLog = 3
)

// A mountLog is where a mount logs to. Until it is mounted the lines are held back: if
// it fails they are dropped, and the one line that says why stands alone.
type mountLog struct {
	mu   sync.Mutex // guards the fields below and the order of lines
	held bytes.Buffer
	to   io.Writer // nil: held back
}

// newMountLog gives a log at the level, each line of which names the mount point: several mounts
// may have one log. With debug nothing is held back.
func newMountLog(level slog.Level, mountpoint string, stderr io.Writer) (*mountLog, *slog.Logger) {
	l := &mountLog{}
	if level <= slog.LevelDebug {
		l.to = stderr
	}
	return l, textLog(l, level, mountpoint)
}

func textLog(w io.Writer, level slog.Level, mountpoint string) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})).With("mount", mountpoint)
}

// Write implements io.Writer.
func (l *mountLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.to == nil {
		return l.held.Write(p)
	}
	return l.to.Write(p)
}

// release writes what was held back to w, and from then on everything.
func (l *mountLog) release(w io.Writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to = w
	l.held.WriteTo(w)
	l.held = bytes.Buffer{}
}

// openLog opens the log of the state directory and makes it this process's standard
// error too, so that the traces of a crash are kept, and the terminal let go.
func openLog(stateDir, mountpoint string) (*logfile.File, error) {
	return logfile.Open(mount.LogPath(stateDir), logfile.Options{
		Limit: maxLog, Older: olderLog,
		Missing: func(w io.Writer, lines int, cause error) {
			textLog(w, slog.LevelWarn, mountpoint).Warn("lines of the log are missing", "lines", lines, "err", cause)
		},
		Opened: func(f *os.File) error { return unix.Dup3(int(f.Fd()), 2, 0) },
	})
}
