// Package registry knows the mounts of this host, so that a command that is given a path below a
// mount needs no flag to say how that was mounted.
//
// There is a directory for each user, /run/latchfs for root and $XDG_RUNTIME_DIR/latchfs for
// others, and in it a file for each mount, named after its session. A file is flocked as long as
// its mount's process lives, is written once, under another name, and has no secrets in it. What
// a dead mount left stays as long as the kernel shows the mount, which somebody has to unmount;
// then whoever mounts next removes it.
//
// Nothing is believed of a directory or a file that others than its user (or root, for root's
// directory) could have written.
//
// The registry helps to find things and decides nothing: a mount that cannot enter itself works all the
// same, and what mount.json in the state directory says counts.
package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Format is the version of the files that this program writes and the newest it reads.
const Format = 1

// An Entry is what the registry says of a mount.
type Entry struct {
	Format     int    `json:"format"`
	Session    string `json:"session"`
	StateDir   string `json:"state_dir"`
	Mountpoint string `json:"mountpoint"` // where it was mounted; it may have been moved since
	// Device is the number of the mounted file system as "major:minor", the same in all mount
	// namespaces and wherever it is bound or moved to.
	Device string `json:"device"`
	PID    int    `json:"pid"` // in the process's own pid namespace

	// How the mount reaches its bucket, in the words of the flags. What is empty comes from the
	// SDK's environment and files.
	Source           string `json:"source"`
	Region           string `json:"region,omitempty"`
	Profile          string `json:"profile,omitempty"`
	Endpoint         string `json:"endpoint_url,omitempty"`
	DynamoDBEndpoint string `json:"dynamodb_endpoint_url,omitempty"`
	PathStyle        bool   `json:"force_path_style,omitempty"`
	// VersionsDir is the name of .versions in this mount, "off" if it shows none; "" is .versions.
	VersionsDir string `json:"versions_dir,omitempty"`
}

const (
	suffix = ".json"
	// unfinished begins the name of a file that is not written yet.
	unfinished = ".new-"
)

// Dir is the directory of the calling user; "" if he has none.
func Dir() string { return dirOf(os.Geteuid(), os.Getenv("XDG_RUNTIME_DIR")) }

// Dirs are the directories that the calling user can believe: his own, and that of root, whose mounts
// other users may be let into.
func Dirs() []string {
	own, roots := Dir(), dirOf(0, "")
	if own == "" || own == roots {
		return []string{roots}
	}
	return []string{own, roots}
}

func dirOf(uid int, runtime string) string {
	switch {
	case uid == 0:
		return "/run/latchfs"
	case filepath.IsAbs(runtime):
		return filepath.Join(runtime, "latchfs")
	}
	return ""
}

// A Registration is the entry of a mount of this process.
type Registration struct {
	path string
	file *os.File
}

// Add enters a mount into dir, which is made if it is missing. Its session must be unique.
func Add(dir string, e Entry) (*Registration, error) {
	if dir == "" {
		return nil, errors.New("this user has no directory for it: XDG_RUNTIME_DIR is not set")
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := checkDir(dir, os.Geteuid()); err != nil {
		return nil, err
	}
	e.Format = Format
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return nil, err
	}
	tmp := filepath.Join(dir, unfinished+e.Session)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, err
	}
	r := &Registration{path: filepath.Join(dir, e.Session+suffix), file: f}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		_, err = f.Write(append(text, '\n'))
	}
	if err == nil {
		err = os.Rename(tmp, r.path)
	}
	if err != nil {
		f.Close()
		os.Remove(tmp)
		return nil, fmt.Errorf("writing %s: %w", tmp, err)
	}
	return r, nil
}

// Remove takes the mount out of the registry.
func (r *Registration) Remove() error {
	err := os.Remove(r.path)
	if cerr := r.file.Close(); err == nil {
		err = cerr
	}
	return err
}
