package procfs

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The files of this process say what we know of it, by its id as by the name self.
func TestSelf(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "open"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range []Process{Default.Self(), Default.Process(os.Getpid())} {
		status, err := p.Status()
		if err != nil || status.Get("Tgid") != fmt.Sprint(os.Getpid()) {
			t.Errorf("process %q, %v; want %d", status.Get("Tgid"), err, os.Getpid())
		}
		if want := "procfs.test"; p.Name() != want {
			t.Errorf("name %q, want %q", p.Name(), want)
		}
		fds, err := p.Descriptors()
		if err != nil || !slices.Contains(fds, fmt.Sprint(file.Fd())) {
			t.Errorf("descriptors %v, %v; want %d among them", fds, err, file.Fd())
		}
		info, err := p.Descriptor(fmt.Sprint(file.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		mounts, err := p.Mounts()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(mounts, func(m Mount) bool { return m.ID == info.Get("mnt_id") }) {
			t.Errorf("the mount %q of an open file is none of %v", info.Get("mnt_id"), mounts)
		}
		if info.Get("ino") == "" || info.Get("flags") == "" {
			t.Errorf("fdinfo has no inode number or flags: %q", info)
		}
		if !p.Uses(filepath.Dir(file.Name())) {
			t.Error("a directory in which a file is open is not in use")
		}
		if dir := filepath.Dir(file.Name()); p.Uses(dir[:len(dir)-1]) {
			t.Error("another path with the same beginning is in use")
		}
	}
}

func TestProcesses(t *testing.T) {
	all, err := Default.Processes()
	if err != nil || !slices.Contains(all, Default.Process(os.Getpid())) {
		t.Errorf("this process is not among %v, %v", all, err)
	}
	if _, err := FS(t.TempDir() + "/none").Processes(); err == nil {
		t.Error("no error where no process file system is")
	}
}

func TestGone(t *testing.T) {
	none := Default.Process(1 << 30)
	if _, err := none.Status(); !Gone(err) {
		t.Errorf("status: %v", err)
	}
	if _, err := none.Stat(); !Gone(err) {
		t.Errorf("stat: %v", err)
	}
	if _, err := none.Descriptors(); !Gone(err) {
		t.Errorf("descriptors: %v", err)
	}
	if _, err := Default.Self().Descriptor("1000000"); !Gone(err) {
		t.Errorf("a descriptor that is not open: %v", err)
	}
	if none.Uses("/") || none.Name() != "" {
		t.Error("a process that is not there has a name or uses something")
	}
	if Gone(unix.EACCES) || Gone(nil) {
		t.Error("a process that may not be looked at counts as gone")
	}
}

func TestBootID(t *testing.T) {
	id, err := Default.BootID()
	if again, _ := Default.BootID(); err != nil || len(id) != 36 || again != id {
		t.Errorf("%q, then %q, %v", id, again, err)
	}
}

func TestSignals(t *testing.T) {
	for text, want := range map[string]SignalSet{
		"":                                      0,
		"Name:\tx\nShdPnd:\t0000000000000100\n": 0,
		"SigPnd:\t0000000000000000\n":           0,
		"SigPnd:\tx\n":                          0,
		"SigPnd:\t0000000000004100\nShdPnd:\t02\n": Signals(unix.SIGKILL, unix.SIGTERM),
		"ShdPnd:\t01\nSigPnd:\t8000000000000000\n": Signals(unix.Signal(64)),
	} {
		if got := Fields(text).Signals("SigPnd"); got != want {
			t.Errorf("%q: %x, want %x", text, got, want)
		}
	}
	// The real one: a stopped process does not take what it is sent.
	sleeper := exec.Command("sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer sleeper.Wait()
	defer sleeper.Process.Kill()
	if err := sleeper.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(sleeper.Process.Pid, &status, unix.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("waiting for the stop: %v, %v", status, err)
	}
	if err := sleeper.Process.Signal(unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	read, err := Default.Process(sleeper.Process.Pid).Status()
	if pending := read.Signals("ShdPnd"); err != nil || pending != Signals(unix.SIGUSR1) {
		t.Errorf("%x is pending, %v; want SIGUSR1 alone", pending, err)
	}
}

func TestStat(t *testing.T) {
	rest := func(flags, code string) string {
		return " D 1 1 1 34816 -1 " + flags + " " + strings.Repeat("4 ", 42) + code + "\n"
	}
	got, err := parseStat([]byte("7 (a b) 9)" + rest("4194308", "15")))
	if want := (Stat{Terminal: 34816, Flags: 0x400000 | Exiting, ExitCode: 15}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, bad := range []string{"", "7 (x) D 1", "7 (x)" + rest("-1", "0"), "7 (x)" + rest("0", "x")} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
	// The real ones.
	if got, err := Default.Self().Stat(); err != nil || got.Flags&Exiting != 0 || got.ExitCode != 0 {
		t.Errorf("this process: %+v, %v", got, err)
	}
	child := exec.Command("sh", "-c", "exit 3")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	if err := unix.Waitid(unix.P_PID, child.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := Default.Process(child.Process.Pid).Stat(); err != nil || got.Flags&Exiting == 0 || got.ExitCode != 3<<8 {
		t.Errorf("a process that has ended: %+v, %v", got, err)
	}
}

func TestGet(t *testing.T) {
	f := Fields("Name:\ta: b\nVmRSS:\t  12 kB\n\nino:5")
	for name, want := range map[string]string{"Name": "a: b", "VmRSS": "12 kB", "ino": "5", "VmR": "", "": ""} {
		if got := f.Get(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestParseMounts(t *testing.T) {
	const in = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
36 22 0:52 / /mnt/with\040space rw,nosuid,nodev - fuse.latchfs s3://b/a\134b rw,user_id=0
37 22 0:53 /sub /x rw master:1 propagate_from:2 - tmpfs tmpfs rw
`
	got, err := parseMounts(strings.NewReader(in))
	want := []Mount{
		{ID: "22", Device: "8:1", Root: "/", Mountpoint: "/", Type: "ext4", Source: "/dev/sda1", Options: "rw"},
		{ID: "36", Device: "0:52", Root: "/", Mountpoint: "/mnt/with space", Type: "fuse.latchfs", Source: `s3://b/a\b`, Options: "rw,user_id=0"},
		{ID: "37", Device: "0:53", Root: "/sub", Mountpoint: "/x", Type: "tmpfs", Source: "tmpfs", Options: "rw"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v\nwant %+v", got, err, want)
	}
	if uid, ok := got[1].User(); uid != 0 || !ok {
		t.Errorf("mounted by %d, %v", uid, ok)
	}
	if uid, ok := got[2].User(); ok {
		t.Errorf("mounted by %d", uid)
	}
	if _, err := parseMounts(strings.NewReader("36 22 0:52 / /mnt\n")); err == nil {
		t.Error("a line without a separator is read")
	}
}

// Of two mounts at one place the later covers the earlier.
func TestMountAt(t *testing.T) {
	proc := FS(t.TempDir())
	if _, _, err := proc.Process(7).MountAt("/x"); err == nil {
		t.Error("no error where there is no mountinfo")
	}
	if err := os.Mkdir(filepath.Join(string(proc), "7"), 0o700); err != nil {
		t.Fatal(err)
	}
	const in = "36 22 0:52 / /x rw - tmpfs below rw\n37 22 0:53 / /x rw - tmpfs above rw\n38 22 0:54 / /x/y rw - tmpfs y rw\n"
	if err := os.WriteFile(filepath.Join(string(proc), "7", "mountinfo"), []byte(in), 0o600); err != nil {
		t.Fatal(err)
	}
	if m, ok, err := proc.Process(7).MountAt("/x"); err != nil || !ok || m.Source != "above" {
		t.Errorf("%+v, %v, %v; want the one above", m, ok, err)
	}
	if m, ok, err := proc.Process(7).MountAt("/"); err != nil || ok {
		t.Errorf("%+v, %v, %v; want none", m, ok, err)
	}
}

// What cannot be seen of a process that lives is hidden from us; it is not gone.
func TestGoneOrHidden(t *testing.T) {
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		p    Process
		err  error
		want bool
	}{
		{Default.Process(os.Getpid()), fs.ErrNotExist, false},
		{Default.Process(1), fs.ErrNotExist, false}, // another user's, if we are not root
		{Default.Process(ended.Process.Pid), fs.ErrNotExist, true},
		{Default.Process(ended.Process.Pid), unix.ESRCH, true},
		{Default.Process(ended.Process.Pid), fs.ErrPermission, false},
		{FS(t.TempDir()).Process(1), fs.ErrNotExist, true},
	} {
		if got := tt.p.Gone(tt.err); got != tt.want {
			t.Errorf("process %d, %v: gone %v", tt.p.ID, tt.err, got)
		}
	}
}
