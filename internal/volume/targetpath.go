package volume

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/internal/registry"
)

const (
	mountType = "fuse.latchfs"
	// maxLinks is how many symbolic links the kernel follows in one path.
	maxLinks = 40
	// versionsName is the name of .versions in a mount that gave it no other one.
	versionsName = ".versions"
	// versionsOff is what the registry says of a mount that shows none.
	versionsOff = "off"
)

// A host is what a path is read by.
type host struct {
	uid      int
	wd       func() (string, error)
	readlink func(path string) (string, error)
	mounts   func() ([]procfs.Mount, error)
	entries  func() []registry.Found
}

func thisHost() host {
	return host{
		uid: os.Geteuid(), wd: os.Getwd, readlink: os.Readlink, mounts: procfs.Default.Self().Mounts,
		entries: func() (all []registry.Found) {
			for _, dir := range registry.Dirs() {
				found, _ := registry.Read(dir) // what cannot be believed is not there
				all = append(all, found...)
			}
			return all
		},
	}
}

// target reads a path below a mount.
func (h host) target(path string) (t Target, err error) {
	if path == "" {
		return t, Usagef("a path is empty: name a file")
	}
	mounts, err := h.mounts()
	if err != nil {
		return t, fmt.Errorf("reading the mounts: %w", err)
	}
	at, err := h.resolve(mounts, path)
	if err != nil {
		return t, err
	}
	m, rel := mountOf(mounts, at)
	if m.Type != mountType {
		return t, fmt.Errorf("%q is not below a mount of latchfs: name a path below one, which findmnt -t %s shows, or s3://bucket/key", path, mountType)
	}
	e, ok := entryOf(h.entries(), m, mounts)
	if !ok {
		return t, unknownMount(path, m)
	}
	if t.Source, err = ParseSource(e.Source); err != nil {
		return t, fmt.Errorf("the mount at %s: %w", m.Mountpoint, err)
	}
	t.Access = Access{Region: e.Region, Profile: e.Profile, Endpoint: e.Endpoint, DynamoDBEndpoint: e.DynamoDBEndpoint, PathStyle: e.PathStyle}
	if uid, known := m.User(); !known || uid != h.uid {
		t.Access.Profile = "" // it is a word of another user's configuration
	}
	t.Mountpoint, t.StateDir = m.Mountpoint, e.StateDir
	root := split(m.Root)
	t.base = t.Source.Prefix + dirOf(root)
	names := append(root, split(rel)...)
	key, rev, err := readNames(names, e.VersionsDir)
	if err != nil {
		return t, Usagef("%q %v", path, err)
	}
	t.View = key != strings.Join(names, "/")
	if key != "" && !strings.HasSuffix(key, "/") && strings.HasSuffix(path, "/") {
		key += "/"
	}
	t.Key, t.Rev = t.Source.Prefix+key, rev
	if rev != "" {
		t.Zone = time.UTC
	}
	return t, nil
}

// resolve makes a path absolute and follows its symbolic links, but for its last part in a mount of
// ours: there a link is an object as others are. What does not exist, and what the file system does
// not answer for, is no link.
func (h host) resolve(mounts []procfs.Mount, path string) (string, error) {
	at, rest := "/", split(path)
	if !filepath.IsAbs(path) {
		wd, err := h.wd()
		if err != nil {
			return "", fmt.Errorf("finding the working directory: %w", err)
		}
		rest = append(split(wd), rest...)
	}
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		m, rel := mountOf(mounts, next)
		ours := m.Type == mountType
		if m.Mountpoint == next || ours && (len(rest) == 0 && !strings.HasSuffix(path, "/") || hasVersions(rel)) {
			at = next // a mount point is no link
			continue
		}
		target, err := h.readlink(next)
		if err != nil {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", &os.PathError{Op: "resolve", Path: path, Err: unix.ELOOP}
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(split(target), rest...)
	}
	return at, nil
}

// hasVersions tells whether the path leads into a view of versions, whose names are read as they are:
// the mount that shows them is not needed for that.
func hasVersions(rel string) bool { return strings.Contains("/"+rel+"/", "/"+versionsName+"/") }

// split gives the parts of a path that say something.
func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// mountOf finds the topmost mount that a resolved path is in, and the path below its mount point.
func mountOf(mounts []procfs.Mount, path string) (m procfs.Mount, rel string) {
	most := -1
	for _, c := range mounts {
		below, ok := strings.CutPrefix(path, strings.TrimSuffix(c.Mountpoint, "/"))
		if ok && (below == "" || below[0] == '/') && len(c.Mountpoint) >= most {
			most, m, rel = len(c.Mountpoint), c, strings.TrimPrefix(below, "/")
		}
	}
	return m, rel
}

// entryOf finds what the registry says of a mount, by the number of its file system. The kernel gives
// a number out again once its mount is gone, while the process of that may still be saving: of several
// entries the newest is that of the mount. One whose process is dead has to be at its place besides.
func entryOf(all []registry.Found, m procfs.Mount, mounts []procfs.Mount) (e registry.Entry, ok bool) {
	inPlace := func(f registry.Found) bool {
		return slices.ContainsFunc(mounts, func(o procfs.Mount) bool { return o.Device == f.Device && o.Mountpoint == f.Mountpoint })
	}
	var newest time.Time
	for _, f := range all {
		if f.Device == m.Device && (f.Live || inPlace(f)) && (!ok || f.Since.After(newest)) {
			e, ok, newest = f.Entry, true, f.Since
		}
	}
	return e, ok
}

func unknownMount(path string, m procfs.Mount) error {
	who := ""
	if uid, ok := m.User(); ok {
		who = fmt.Sprintf(" by user %d", uid)
	}
	return fmt.Errorf("how %s was mounted%s cannot be told to the caller, who needs it for %q: name the file as s3://bucket/key, with the flags of mount", m.Mountpoint, who, path)
}
