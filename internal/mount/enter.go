package mount

import (
	"errors"
	"io/fs"
	"net/url"
	"os"

	"github.com/latchfs/latchfs/internal/registry"
)

// enter enters the mount into the registry of this host. Without it commands have to be told
// how it was mounted, and it works all the same.
func (m *Mount) enter() {
	dir := registry.Dir()
	a := m.o.Access
	var err error
	m.entered, err = registry.Add(dir, registry.Entry{
		Session: m.dir.Name(), StateDir: m.o.StateDir, Mountpoint: m.o.Mountpoint, Device: m.device, PID: os.Getpid(),
		Source: m.o.Source.String(), Region: a.Region, Profile: a.Profile,
		Endpoint: withoutPassword(a.Endpoint), DynamoDBEndpoint: withoutPassword(a.DynamoDBEndpoint), PathStyle: a.PathStyle,
		VersionsDir: m.o.VersionsDir,
	})
	if err != nil {
		m.log.Info("the mount is not in the registry of this host: other commands need --state-dir", "err", err)
		return
	}
	if err := registry.Clear(dir, func(device string) bool { return device != m.device && hasMount(device) }); err != nil {
		m.log.Info("dead mounts cannot be taken out of the registry", "dir", dir, "err", err)
	}
}

// takeOut takes the mount out of the registry, at its end.
func (m *Mount) takeOut() {
	if m.entered == nil {
		return
	}
	if err := m.entered.Remove(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.log.Info("the mount cannot be taken out of the registry", "err", err)
	}
}

// withoutPassword is the URL without what everybody may not know.
func withoutPassword(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}
