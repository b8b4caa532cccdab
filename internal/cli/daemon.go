package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/procfs"
)

// readyVar names, in the environment of a background mount, the descriptor on which it
// tells the command that started it that it is mounted.
const readyVar = "LATCHFS_READY_FD"

// startBackground runs this program again with the same arguments in a session of its own and
// waits until it is mounted or has failed. The child itself says what goes wrong until then, on
// the standard error that it shares with us; its exit code is ours.
//
// With sameGroup it leaves our process group only when it is mounted: an automounter (systemd's
// x-systemd.automount) lets nobody else at the mount point until then.
func startBackground(ctx context.Context, args []string, sameGroup bool, std Stdio) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program to start it in the background: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	child := exec.Command(self, args[1:]...)
	child.Args[0] = args[0]
	child.Stderr = std.Err // stdin and stdout are /dev/null
	child.ExtraFiles = []*os.File{w}
	child.Env = append(os.Environ(), readyVar+"=3")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: !sameGroup}
	if err := procfs.CloseOnExec(); err != nil {
		w.Close()
		return fmt.Errorf("starting in the background: %w", err)
	}
	if err := child.Start(); err != nil {
		w.Close()
		return fmt.Errorf("starting in the background: %w", err)
	}
	w.Close()

	// The child is out of the terminal's reach: pass on what is meant for us both.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM)
	defer signal.Stop(signals)
	ready := make(chan bool, 1)
	go func() {
		b, _ := io.ReadAll(r)
		ready <- len(b) > 0
	}()
	for {
		select {
		case s := <-signals:
			if !sameGroup || s != unix.SIGINT { // a terminal interrupts the whole group
				child.Process.Signal(s)
			}
		case <-ctx.Done():
			child.Process.Signal(unix.SIGTERM)
			ctx = context.WithoutCancel(ctx)
		case ok := <-ready:
			if ok {
				return child.Process.Release()
			}
			return childError(child.Wait())
		}
	}
}

// childError turns the end of a child that reported its error itself into ours.
func childError(err error) error {
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case exited && exit.Exited():
		return &reportedError{exit.ExitCode()}
	case err == nil:
		return errors.New("the background process ended without mounting: run it with -f to see why")
	}
	return fmt.Errorf("the background process died: %w", err)
}

// A reportedError has been printed by the process it comes from.
type reportedError struct{ code int }

func (e *reportedError) Error() string {
	return "the background process exited with code " + strconv.Itoa(e.code)
}

// A readiness is the child's end of startBackground.
type readiness struct{ pipe *os.File }

// background tells whether this process was started by startBackground, and takes the
// descriptor out of the environment so that no process started from here sees it.
func background() (*readiness, bool) {
	fd, err := strconv.Atoi(os.Getenv(readyVar))
	os.Unsetenv(readyVar)
	if err != nil {
		return nil, false
	}
	unix.CloseOnExec(fd)
	return &readiness{os.NewFile(uintptr(fd), "ready")}, true
}

// mounted lets the waiting command exit with 0. It fails if that command is gone.
func (r *readiness) mounted() error {
	if _, err := unix.Setsid(); err != nil && !errors.Is(err, unix.EPERM) { // EPERM: it has a session of its own
		return fmt.Errorf("beginning a session: %w", err)
	}
	_, err := r.pipe.Write([]byte("mounted\n"))
	if cerr := r.pipe.Close(); err == nil {
		err = cerr
	}
	return err
}
