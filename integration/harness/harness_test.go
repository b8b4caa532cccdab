package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var suite = NewSuite(map[string]Program{
	"sleep": func([]string) int { time.Sleep(time.Hour); return 0 },
})

func TestMain(m *testing.M) { suite.Main(m) }

const victimVar = "LATCHFS_TEST_VICTIM"

// TestVictim misbehaves in the runs that TestNothingIsLeft starts, and only there.
func TestVictim(t *testing.T) {
	how := os.Getenv(victimVar)
	if how == "" {
		return
	}
	e := suite.New(t)
	cmd := e.ProgramCommand("sleep", os.Getenv("LATCHFS_TEST_MARK"))
	switch how {
	case "process":
		e.Must(cmd.Start()) // behind the harness's back
	case "mount":
		dir := e.Mkdir("mnt")
		e.Must(unix.Mount("none", dir, "tmpfs", 0, ""))
	case "killed":
		e.Start(cmd)
		e.Must(unix.Kill(os.Getpid(), unix.SIGKILL))
		select {}
	case "clean":
		e.Start(cmd)
	}
}

// Whatever a run leaves behind fails it, and whatever it started ends with it, also
// when the test process dies.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ how, says string }{
		{"process", "left behind: process"},
		{"mount", "left behind: mount"},
		{"killed", "ended by killed"},
		{"clean", ""},
	} {
		t.Run(tt.how, func(t *testing.T) {
			e := suite.New(t)
			path, err := os.Executable()
			e.Must(err)
			mark := filepath.Base(e.Dir)
			cmd := exec.Command(path, "-test.run=^TestVictim$")
			cmd.Env = append(e.Environ(), victimVar+"="+tt.how, "LATCHFS_TEST_MARK="+mark)
			o := e.Start(cmd).Wait(time.Minute)
			if (o.Code == 0) != (tt.says == "") || !strings.Contains(o.Err+o.Out, tt.says) {
				t.Errorf("exit code %d, %s%s", o.Code, o.Out, o.Err)
			}
			for _, p := range processes() {
				if strings.Contains(p, mark) {
					t.Errorf("still there: %s", p)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(e.Dir, "tmp", "*")); len(left) > 0 {
				t.Errorf("files left: %q", left)
			}
		})
	}
}

// A host's name is its own.
func TestHostname(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	h := &Host{Bucket: &Bucket{Env: e}, Hostname: "elsewhere"}
	cmd := h.named("/bin/uname", "-n")
	cmd.Env = append(cmd.Env, e.Environ()...)
	if o := e.Start(cmd).Wait(time.Minute); o.Out != "elsewhere\n" {
		t.Errorf("uname -n says %q %q", o.Out, o.Err)
	}
	if name, err := os.Hostname(); err != nil || name == "elsewhere" {
		t.Errorf("the test's own host name is %q, %v", name, err)
	}
}

// A mount that ends here ends in the namespaces too that were copied from ours meanwhile: else a
// test could not unmount as long as a neighbour's program runs in one.
func TestNamespaceFollows(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	dir := e.Mkdir("mnt")
	e.Must(unix.Mount("none", dir, "tmpfs", 0, ""))
	p := e.Start(e.InNamespace("sh", "-c", "echo ready; exec sleep 1h"))
	e.Eventually(10*time.Second, func() error {
		if p.Out.String() != "ready\n" {
			return errors.New("not ready")
		}
		return nil
	})
	mounted := func() bool {
		info, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", p.Cmd.Process.Pid))
		e.Must(err)
		return strings.Contains(string(info), dir)
	}
	if !mounted() {
		t.Error("it is no copy of ours")
	}
	e.Must(unix.Unmount(dir, 0))
	if mounted() {
		t.Error("the mount goes on in the copy")
	}
}
