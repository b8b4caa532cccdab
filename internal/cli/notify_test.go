package cli

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestServiceManagerIsTold(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "socket"), "@latchfs-test-" + filepath.Base(t.TempDir()) + t.Name()} {
		socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		t.Setenv(notifyVar, name)
		manager := takeServiceManager()
		if _, left := os.LookupEnv(notifyVar); left {
			t.Errorf("%s is left in the environment", notifyVar)
		}
		for _, state := range []string{"READY=1", "STOPPING=1"} {
			if err := manager.tell(state); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			b := make([]byte, 100)
			if n, err := socket.Read(b); err != nil || string(b[:n]) != state {
				t.Errorf("%s: %q, %v", name, b[:n], err)
			}
		}
	}
}

func TestServiceManagerThatIsNotThere(t *testing.T) {
	t.Setenv(notifyVar, "")
	if manager := takeServiceManager(); manager != nil || manager.tell("READY=1") != nil {
		t.Errorf("without a socket: %+v", manager)
	}
	for _, name := range []string{"relative", "vsock:2:1", filepath.Join(t.TempDir(), "no")} {
		if err := (&serviceManager{name}).tell("READY=1"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A manager that does not read does not stop us.
func TestServiceManagerThatHangs(t *testing.T) {
	name := filepath.Join(t.TempDir(), "socket")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for range 100_000 { // as many as the kernel keeps for it, and one more
		if err = (&serviceManager{name}).tell("READY=1"); err != nil {
			break
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("its queue is full: %v", err)
	}
}
