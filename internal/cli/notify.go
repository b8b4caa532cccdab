package cli

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// notifyVar names the socket of the service manager, sd_notify(3).
const notifyVar = "NOTIFY_SOCKET"

// notifyTimeout bounds the wait for a service manager that does not read: what was closed has to be
// saved all the same.
const notifyTimeout = time.Second

// A serviceManager is told how far this process is. nil: nobody wants to know.
type serviceManager struct{ socket string }

// takeServiceManager takes the socket out of the environment, so that no process started from here
// speaks for us.
func takeServiceManager() *serviceManager {
	socket := os.Getenv(notifyVar)
	os.Unsetenv(notifyVar)
	if socket == "" {
		return nil
	}
	return &serviceManager{socket}
}

// tell sends one state, READY=1 for example.
func (s *serviceManager) tell(state string) error {
	if s == nil {
		return nil
	}
	// @ begins an abstract name, here and in the net package.
	if !strings.HasPrefix(s.socket, "/") && !strings.HasPrefix(s.socket, "@") {
		return fmt.Errorf("telling the service manager %s: %s=%s is neither a path nor an abstract socket", state, notifyVar, s.socket)
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("telling the service manager %s: %w", state, err)
	}
	defer c.Close()
	c.SetWriteDeadline(time.Now().Add(notifyTimeout))
	if _, err := c.Write([]byte(state)); err != nil {
		return fmt.Errorf("telling the service manager %s: %w", state, err)
	}
	return nil
}
