package statedir

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Format is the version of mount.json that this program writes and the newest it reads.
const Format = 1

// A Mount is the content of mount.json: what umount and recovery need to find a mount
// and to tell whose data lies in its spool.
type Mount struct {
	Format     int    `json:"format"`
	Mountpoint string `json:"mountpoint"` // absolute, symbolic links resolved
	// Device is the device number of the mounted file system as "major:minor", as in
	// /proc/self/mountinfo; empty until it is mounted.
	Device string `json:"device,omitempty"`
	Source string `json:"source"`
	// BucketID is the random id in the bucket's .latchfs/bucket.json, which stays the
	// same under every alias, prefix and endpoint. Empty where the bucket has none.
	BucketID string `json:"bucket_id,omitempty"`
	Prefix   string `json:"prefix,omitempty"`
	PID      int    `json:"pid"`
	Host     string `json:"host"`
	// SIDs are the lock sessions of this mount, each written here before it exists in
	// the lock table.
	SIDs []string `json:"sids,omitempty"`
}

func readMount(dir string) (Mount, error) {
	var m Mount
	path := filepath.Join(dir, "mount.json")
	b, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	if m.Format > Format {
		return m, fmt.Errorf("%s: format %d is newer than this program reads (%d)", path, m.Format, Format)
	}
	return m, nil
}

// writeMount replaces mount.json so that a crash leaves the old one or the new one.
func writeMount(dir string, m Mount) error {
	m.Format = Format
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, "mount.json.new")
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(dir, "mount.json")); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
