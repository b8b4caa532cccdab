package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// outer runs the whole binary again below a supervisor and returns its exit code.
func outer() int {
	root, err := os.MkdirTemp("", "latchfs-test-")
	if err != nil {
		return complain(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), roleVar+"="+roleSupervisor, rootVar+"="+root)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL,
	}
	if uid := os.Geteuid(); uid != 0 {
		// A user namespace gives the rights to mount, to nobody but ourselves.
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	runtime.LockOSThread() // Pdeathsig counts from this thread
	err = cmd.Run()
	code := 0
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		code = max(exit.ExitCode(), 1)
	} else if err != nil {
		code = complain(fmt.Errorf("starting the tests in namespaces of their own: %w", err))
	}
	// The mounts went with their namespace: what is below the root now are plain files.
	if os.Getenv("LATCHFS_TEST_KEEP") != "" {
		fmt.Fprintln(os.Stderr, "integration: kept", root)
		return code
	}
	if err := os.RemoveAll(root); err != nil {
		code = complain(err)
	}
	return code
}

// supervise is process 1 of the namespaces: it starts the test process and waits for
// it and for every orphan.
func supervise(root string) int {
	if err := privateMounts(); err != nil {
		return complain(err)
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), roleVar+"="+roleTest)
	if err := cmd.Start(); err != nil {
		return complain(err)
	}
	var status unix.WaitStatus
	for {
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return complain(fmt.Errorf("waiting for the tests: %w", err))
		}
		if pid == cmd.Process.Pid {
			break
		}
	}
	code := status.ExitStatus()
	if status.Signaled() {
		code = complain(fmt.Errorf("the tests were ended by %s", status.Signal()))
	}
	for _, left := range append(processesLeft(), mountsBelow(root)...) {
		code = complain(fmt.Errorf("left behind: %s", left))
	}
	return code
}

// privateMounts cuts the new mount namespace off from the old one, shows the new pid
// namespace in /proc, where latchfs looks for the descriptors of its callers, and empties /run.
func privateMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts private: %w", err)
	}
	// Shared with the copies that InNamespace makes.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("making the mounts shared: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	// The registry of this host's mounts is in /run: that of the tests is their own.
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("mounting /run: %w", err)
	}
	return nil
}

// processesLeft names the processes of our pid namespace that do not end by themselves
// within two seconds.
func processesLeft() []string {
	var left []string
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		for { // reap, or zombies would look alive
			if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
		left = processes()
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
	}
}

func processes() []string {
	var found []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		pid, err := strconv.Atoi(filepath.Base(d))
		if err != nil || pid == os.Getpid() {
			continue
		}
		if line, err := os.ReadFile(filepath.Join(d, "cmdline")); err == nil && len(line) > 0 {
			found = append(found, fmt.Sprintf("process %d: %s", pid, strings.ReplaceAll(string(line), "\x00", " ")))
		}
	}
	return found
}

// Mounts lists the mount points below the test's own directory.
func (e *Env) Mounts() []string { return mountsBelow(e.Dir) }

// mountsBelow lists the mount points below dir.
func mountsBelow(dir string) []string {
	var found []string
	info, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(info)) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], dir+"/") {
			found = append(found, "mount "+f[4])
		}
	}
	return found
}

// InNamespace is a command that runs in a mount namespace of its own. That begins with a copy of
// all mounts, also of those of the tests that run at the same time. They have to go there when
// they go here: a file system lives as long as its last copy, and its mount process with it.
func (e *Env) InNamespace(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("unshare", append([]string{"--mount", "--propagation", "slave", name}, args...)...)
	cmd.Env = e.Environ()
	return cmd
}

// asHost becomes the program argv on a host called name. It returns only on failure.
func asHost(name string, argv []string) error {
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	os.Unsetenv(roleVar)
	return fmt.Errorf("starting %s: %w", argv[0], unix.Exec(argv[0], argv, os.Environ()))
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "integration:", err)
	return 1
}
