package harness

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/statedir"
)

// A Host is one mount of a bucket by a latchfs process that stays in the foreground,
// with its own state directory and UTS name.
type Host struct {
	*Bucket
	Hostname   string
	Mountpoint string
	StateDir   string
	// Prefix is the part of the bucket that is mounted; "" is all of it.
	Prefix string
	// Env is the environment that its commands have besides.
	Env []string
	// ByEnvironment names the servers by environment variables instead of flags.
	ByEnvironment bool

	flags    []string
	process  *Process // nil while it is not mounted
	logs     []string // of all its mounts, ended or not
	expected []*regexp.Regexp
}

// Mount mounts the bucket on a new host.
func (b *Bucket) Mount(hostname string, flags ...string) *Host {
	b.Helper()
	h := b.Host(hostname, flags...)
	h.Mount()
	return h
}

// Host makes a host that does not mount the bucket yet.
func (b *Bucket) Host(hostname string, flags ...string) *Host {
	b.Helper()
	dir := b.Mkdir(hostname)
	h := &Host{Bucket: b, Hostname: hostname, Mountpoint: filepath.Join(dir, "mnt"), StateDir: filepath.Join(dir, "state"), flags: flags}
	b.Must(os.MkdirAll(h.Mountpoint, 0o755))
	b.hosts = append(b.hosts, h)
	if b.Times == Brief {
		// A heartbeat then has 375 ms, which a server of the tests may miss on a loaded machine.
		h.Expect("lock heartbeat failed; retrying")
	}
	return h
}

// Expect allows the host's log to hold errors and warnings of this form.
func (h *Host) Expect(pattern string) *Host {
	h.expected = append(h.expected, regexp.MustCompile(pattern))
	return h
}

// Logs tells whether the host's log holds the text. The log comes through a pipe, so that a
// line may be here later than the answer that it speaks of: it is waited for.
func (h *Host) Logs(text string) bool {
	for range 500 {
		if strings.Contains(h.Log(), text) {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// Path gives the path of a name in the mount.
func (h *Host) Path(name ...string) string {
	return filepath.Join(append([]string{h.Mountpoint}, name...)...)
}

// Command is a command of latchfs on this host.
func (h *Host) Command(args ...string) *exec.Cmd {
	h.Helper()
	program, err := h.Suite.Latchfs()
	h.Must(err)
	cmd := h.named(program, args...)
	cmd.Env = append(append(cmd.Env, h.Environ()...), h.Env...)
	if h.ByEnvironment {
		cmd.Env = append(cmd.Env, "AWS_REGION="+Region, "AWS_ENDPOINT_URL_S3="+h.server.URL, "AWS_ENDPOINT_URL_DYNAMODB="+h.dynamo.URL)
	}
	return cmd
}

// named is a command that runs under the host's name.
func (h *Host) named(program string, args ...string) *exec.Cmd {
	return Named(h.Hostname, program, args...)
}

// Named is a command that runs under the name of a host.
func Named(hostname, program string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", append([]string{hostname, program}, args...)...)
	cmd.Env = []string{roleVar + "=" + roleHost}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUTS}
	return cmd
}

// MountArgs is the command line of mount -f.
func (h *Host) MountArgs() []string {
	args := []string{"mount", "-f", "--state-dir", h.StateDir, "--log-level", "debug"}
	if h.ByEnvironment {
		args = append(args, "--force-path-style")
	} else {
		args = append(args, h.ConnectionFlags()...)
	}
	args = append(args, h.flags...)
	source := h.Source()
	if h.Prefix != "" {
		source += "/" + h.Prefix
	}
	return append(args, source, h.Mountpoint)
}

// Mount mounts the bucket, again if need be.
func (h *Host) Mount() {
	h.Helper()
	h.StartMount()
	h.WaitMounted()
}

// StartMount starts the mount without waiting until it can be used.
func (h *Host) StartMount() *Process {
	h.Helper()
	if h.process != nil {
		h.Fatalf("%s is mounted already", h.Hostname)
	}
	h.process = h.Start(h.Command(h.MountArgs()...))
	return h.process
}

// WaitMounted waits until a started mount can be used.
func (h *Host) WaitMounted() {
	h.Helper()
	p := h.process
	h.Eventually(time.Minute, func() error {
		select {
		case <-p.Done():
			h.process = nil
			o := p.Wait(0)
			h.Fatalf("latchfs mount on %s: exit code %d\n%s%s", h.Hostname, o.Code, o.Out, o.Err)
		default:
		}
		if !h.Mounted() {
			return fmt.Errorf("nothing is mounted at %s", h.Mountpoint)
		}
		return h.noted()
	})
}

// noted fails until the mount process has written down which mount is its own. The kernel shows
// the mount, and answers calls on it, a moment earlier: longer than a short test takes, where the
// disk is slow. latchfs umount goes by that note.
func (h *Host) noted() error {
	sessions, err := statedir.Scan(h.StateDir)
	for _, s := range sessions {
		if s.Mount.PID == h.PID() && s.Mount.Device != "" {
			return nil
		}
	}
	return fmt.Errorf("the mount at %s is not noted in %s yet (%v)", h.Mountpoint, h.StateDir, err)
}

// Mounted tells whether the kernel has a mount at the host's mount point.
func (h *Host) Mounted() bool {
	for _, m := range mountsBelow(filepath.Dir(h.Mountpoint)) {
		if m == "mount "+h.Mountpoint {
			return true
		}
	}
	return false
}

// Running tells whether the host has a mount process that has not ended.
func (h *Host) Running() bool {
	if h.process == nil {
		return false
	}
	select {
	case <-h.process.Done():
		return false
	default:
		return true
	}
}

// PID is the process of the mount.
func (h *Host) PID() int { return h.process.Cmd.Process.Pid }

// Signal sends a signal to the mount's process.
func (h *Host) Signal(s syscall.Signal) {
	h.Helper()
	h.Must(h.process.Cmd.Process.Signal(s))
}

// Kill ends the mount's process by SIGKILL, as a crash would, and clears the dead
// mount. The state directory stays as it is.
func (h *Host) Kill() {
	h.Helper()
	h.Crash()
	h.Must(unix.Unmount(h.Mountpoint, unix.MNT_DETACH))
}

// Crash ends the mount's process by SIGKILL and leaves the dead mount where it is.
func (h *Host) Crash() {
	h.Helper()
	h.Must(h.process.Cmd.Process.Kill())
	<-h.process.Done()
	h.ended()
}

// Umount unmounts by latchfs umount and checks that both processes exit with 0.
func (h *Host) Umount() {
	h.Helper()
	o := h.Start(h.Command("umount", "--state-dir", h.StateDir, h.Mountpoint)).Wait(2 * time.Minute)
	if o.Code != 0 {
		h.Fatalf("latchfs umount on %s: exit code %d\n%s%s", h.Hostname, o.Code, o.Out, o.Err)
	}
	if o := h.WaitEnd(30 * time.Second); o.Code != 0 {
		h.Fatalf("the mount of %s ended with exit code %d", h.Hostname, o.Code)
	}
}

// WaitEnd waits until the mount's process has ended by itself.
func (h *Host) WaitEnd(limit time.Duration) Output {
	h.Helper()
	o := h.process.Wait(limit)
	h.ended()
	return o
}

func (h *Host) ended() {
	h.logs = append(h.logs, h.process.Err.String())
	h.process = nil
}

// Log is everything the host's mounts have said so far.
func (h *Host) Log() string {
	log := strings.Join(h.logs, "")
	if h.process != nil {
		log += h.process.Err.String()
	}
	return log
}

// finish unmounts at the end of the test; what does not unmount is killed.
func (h *Host) finish() {
	if h.process == nil {
		return
	}
	p := h.Start(h.Command("umount", "--state-dir", h.StateDir, h.Mountpoint))
	for _, w := range []*Process{p, h.process} {
		select {
		case <-w.Done():
			continue
		case <-time.After(30 * time.Second):
		}
		h.Errorf("%s does not unmount:\n%s", h.Hostname, p.Err.String())
		h.dumpStacks()
		break
	}
	select {
	case <-h.process.Done():
	default:
		h.process.Cmd.Process.Kill()
		<-h.process.Done()
		unix.Unmount(h.Mountpoint, unix.MNT_DETACH)
	}
	if code := h.process.Cmd.ProcessState.ExitCode(); code != 0 {
		h.Errorf("the mount of %s ended with exit code %d", h.Hostname, code)
	}
	h.ended()
}

// checkLeft fails the test for what the host left behind and for what its log has to
// say.
func (h *Host) checkLeft() {
	if h.Mounted() {
		h.Errorf("left behind: the mount of %s", h.Hostname)
		unix.Unmount(h.Mountpoint, unix.MNT_DETACH)
	}
	entries, _ := os.ReadDir(h.StateDir)
	for _, e := range entries {
		if e.IsDir() { // a session directory
			h.Errorf("left behind: %s", filepath.Join(h.StateDir, e.Name()))
		}
	}
	for line := range strings.Lines(h.Log()) {
		if h.unexpected(line) {
			h.Errorf("log of %s: %s", h.Hostname, line)
		}
	}
}

// bad is what no log may hold unless the test expects it.
var bad = regexp.MustCompile(`level=(ERROR|WARN)|^panic:|^fatal error:|DATA RACE|lease lost|session lost`)

func (h *Host) unexpected(line string) bool {
	if !bad.MatchString(line) {
		return false
	}
	for _, e := range h.expected {
		if e.MatchString(line) {
			return false
		}
	}
	return true
}

// dumpStacks lets a hanging mount say where it hangs.
func (h *Host) dumpStacks() {
	h.process.Cmd.Process.Signal(unix.SIGQUIT)
	select {
	case <-h.process.Done():
	case <-time.After(5 * time.Second):
	}
}

// dumpLog writes the end of the host's log to the test's.
func (h *Host) dumpLog() {
	const most = 16 << 10
	log := []byte(h.Log())
	if len(log) > most {
		log = log[len(log)-most:]
		log = log[bytes.IndexByte(log, '\n')+1:]
	}
	h.Logf("log of %s:\n%s", h.Hostname, log)
}
