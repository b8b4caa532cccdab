package store

import (
	"maps"
	"strings"
)

// metaMtimeSet tells which setting of a directory's mtime its marker has: a change of the mode or
// the owner writes a new marker, too, and an mtime that is then the one of the entries, as its
// author knows them. The mtime is repeated, so that one which another tool has set since counts as
// set.
const metaMtimeSet = "latchfs-mtime-set"

// MtimeSet names the setting of the mtime in a directory's user metadata. Two markers with the same
// one differ in what was not set.
func MtimeSet(meta map[string]string) string {
	p := ReadPosix(meta)
	if p.Has&HasMtime == 0 {
		return ""
	}
	mtime := formatTime(p.Mtime)
	if id, of, ok := strings.Cut(meta[metaMtimeSet], "/"); ok && of == mtime {
		return id
	}
	return mtime
}

// WithMtimeSet returns a copy of meta that names the setting of the mtime which p has, and which is
// put into it.
func WithMtimeSet(meta map[string]string, p Posix, id string) map[string]string {
	out := make(map[string]string, len(meta)+1)
	maps.Copy(out, meta)
	out[metaMtimeSet] = id + "/" + formatTime(p.Mtime)
	return out
}
