package statedir

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Format is the version of mount.json that this program writes and the newest it reads.
const Format = 1

// mountName is the file of a session directory with its Mount.
const mountName = "mount.json"

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
	// Namespace is the mount namespace that the mount point is a path of, as in
	// /proc/self/ns/mnt; empty if it is not known.
	Namespace string `json:"mount_namespace,omitempty"`
	// SIDs are the lock sessions of this mount, each written here before it exists in
	// the lock table.
	SIDs []string `json:"sids,omitempty"`
}

func readMount(dir string) (Mount, error) {
	var m Mount
	path := filepath.Join(dir, mountName)
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

func writeMount(dir string, m Mount) error {
	m.Format = Format
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(dir, mountName, append(b, '\n'))
}

// newSuffix is what the name of a file has at its end until the file is complete.
const newSuffix = ".new"

// replaceFile writes dir/name so that a crash leaves the old one or the new one.
func replaceFile(dir, name string, b []byte) error {
	tmp := filepath.Join(dir, name+newSuffix)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
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
