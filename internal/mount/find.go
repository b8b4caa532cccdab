package mount

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/internal/registry"
	"github.com/latchfs/latchfs/internal/statedir"
	"github.com/latchfs/latchfs/internal/wait"
)

const (
	// notedWithin is the time in which a process notes which mount is its own: the kernel shows the
	// mount a moment earlier.
	notedWithin = 10 * time.Second
	// enteredWithin is the same for one that nothing is known of yet.
	enteredWithin = 2 * time.Second
	findPoll      = 20 * time.Millisecond
)

// A found is a session and the state directory that it was found in.
type found struct {
	stateDir string
	session  statedir.Session
	lives    bool // its process does
}

// A search is for the session of the mount at a path.
type search struct {
	path      string          // resolved
	device    string          // of what is mounted there; "" if nothing is
	namespace string          // of mounts, in which the path is meant; "" if not known
	dirs      func() []string // the state directories to look in
}

// stateDirs are those that the registry names for mounts of this user, and the default one.
func stateDirs() []string {
	var dirs []string
	// What cannot be read is as good as empty: the registry only helps.
	all, _ := registry.Read(registry.Dir())
	seen := map[string]bool{}
	add := func(dir string) {
		if !seen[dir] {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
	}
	for _, f := range all {
		add(f.StateDir)
	}
	if dir, err := statedir.Default(); err == nil {
		add(dir)
	}
	return dirs
}

// MountedHere gives the places at which this host has the bucket of that id mounted, as far as the
// registry and the default state directory tell.
func MountedHere(bucketID string) []string {
	var at []string
	for _, dir := range stateDirs() {
		all, _ := statedir.Scan(dir) // what cannot be read is not known
		for _, s := range all {
			if s.Mount.BucketID == bucketID && !statedir.Dead(dir, s.Name) {
				at = append(at, s.Mount.Mountpoint)
			}
		}
	}
	return at
}

// await is look, which waits as long as a mount may not have noted yet that it is mounted: the
// number may have been that of a dead one before. It gives nil if there is none.
func (s search) await(ctx context.Context) (*found, error) {
	began := time.Now()
	for {
		f, begins, err := s.look()
		limit := enteredWithin
		if begins {
			limit = notedWithin
		}
		if f != nil && (f.lives || !begins) || s.device == "" || time.Since(began) > limit {
			return f, err
		}
		if !wait.For(ctx, findPoll, nil) {
			return nil, ctx.Err()
		}
	}
}

// look finds the session. While something is mounted it is the one with that device number, at
// best one that lives and was mounted there; a mount may have been moved, or be bound to another
// place. The kernel gives device numbers out again: whoever unmounts, or recovers a dead session,
// takes the number out of mount.json. Else it is one that still finishes, or a dead one.
//
// begins tells that there is a mount at the path that has noted no number (yet).
func (s search) look() (best *found, begins bool, err error) {
	most := 0
	var bad []error
	for _, dir := range s.dirs() {
		all, err := statedir.Scan(dir)
		bad = append(bad, err)
		for _, c := range all {
			if s.device == "" && (c.Mount.Mountpoint != s.path || s.elsewhere(c.Mount)) {
				continue
			}
			if s.device != "" && c.Mount.Device != s.device {
				if c.Mount.Device == "" && c.Mount.Mountpoint == s.path && !statedir.Dead(dir, c.Name) {
					begins = true
				}
				continue
			}
			rank, lives := 1, !statedir.Dead(dir, c.Name)
			if lives {
				rank++
			}
			if c.Mount.Mountpoint == s.path {
				rank += 2
			}
			if rank > most {
				most, best = rank, &found{dir, c, lives}
			}
		}
	}
	if best != nil {
		return best, begins, nil
	}
	return nil, begins, errors.Join(bad...) // what Scan could not read may be the one
}

// elsewhere tells whether a mount is surely in another mount namespace, where the path is another
// place.
func (s search) elsewhere(m statedir.Mount) bool {
	return m.Namespace != "" && s.namespace != "" && m.Namespace != s.namespace
}

// killed finds the dead session of a mount that nobody serves any more, and whose process had not
// noted its number.
func (s search) killed() (*found, error) {
	if !notConnected(openDir(s.path)) {
		return nil, nil
	}
	f, _, err := search{path: s.path, namespace: s.namespace, dirs: s.dirs}.look()
	if f != nil && (f.session.Mount.Device != "" || !statedir.Dead(f.stateDir, f.session.Name)) {
		return nil, nil
	}
	return f, err
}

// hasMount tells whether this mount namespace has a file system with that number.
func hasMount(device string) bool {
	all, _ := procfs.Default.Self().Mounts()
	return slices.ContainsFunc(all, func(m procfs.Mount) bool { return m.Device == device })
}

// alsoAt finds another place where a file system is mounted, among the mounts before and after it
// was unmounted at one. What was not there before is another file system: the kernel gives the
// number out again as soon as it is free.
func alsoAt(device string, before, after []procfs.Mount) string {
	for _, m := range after {
		if m.Device == device && slices.Contains(before, m) {
			return m.Mountpoint
		}
	}
	return ""
}
