package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Names under which the test binary begins anew, and shows what it then is.
const (
	becomingName = "latchfs-becoming"
	becameName   = "latchfs-became"
)

// becoming is what the test binary does under these names.
func becoming(args []string) {
	if args[0] == becomingName {
		fmt.Println(os.Getpid())
		fmt.Println(become([]string{becameName, "mount", "a b"}, []string{"LATCHFS_TEST_A=1,2", "HOME=/new=home"}, strings.Join(args[1:], "")))
		return
	}
	line, _ := os.ReadFile("/proc/self/cmdline")
	fmt.Printf("%d\n%q %s %s %s\n", os.Getpid(), line, os.Getenv("LATCHFS_TEST_A"), os.Getenv("HOME"), os.Getenv("LATCHFS_TEST_B"))
}

func TestBecome(t *testing.T) {
	t.Setenv("LATCHFS_TEST_B", "kept")
	cmd := exec.Command("/proc/self/exe")
	cmd.Args[0] = becomingName
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(string(out), "\n", 3)
	if len(lines) != 3 || lines[0] != lines[1] {
		t.Fatalf("it is another process: %q", out)
	}
	if lines[2] != `"latchfs-became\x00mount\x00a b\x00" 1,2 /new=home kept`+"\n" {
		t.Errorf("it became %q", lines[2])
	}
}

func TestBecomeInANamespaceThatIsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, namespace := range []string{file, file + "-not-there", "999999999"} {
		cmd := exec.Command("/proc/self/exe", namespace)
		cmd.Args[0] = becomingName
		if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), "entering the mount namespace "+namespace) {
			t.Errorf("%s: %q, %v", namespace, out, err)
		}
	}
}
