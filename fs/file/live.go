package file

import (
	"strings"

	"github.com/latchfs/latchfs/store"
)

// Attr returns the attributes of a file of which this host, not the bucket, has the truth:
// it is live under a lease that is proved valid.
func (t *Table) Attr(key string) (Attr, bool) {
	return t.attr(key, func(c *core) bool { return c.followed() })
}

// AttrOf returns the attributes of a live file if what was found in the bucket under its name,
// by a HEAD or in a listing, is the very version that it grew from; the zero Base says that
// nothing was found. Local readers follow it then, whether its lease is proved valid or not:
// nobody has written since.
func (t *Table) AttrOf(key string, found store.Base) (Attr, bool) {
	return t.attr(key, func(c *core) bool { return c.live() != nil && sameSeen(c.content.base.Base(), found) })
}

func (t *Table) attr(key string, follow func(*core) bool) (Attr, bool) {
	t.mu.Lock()
	f := t.files[key]
	t.mu.Unlock()
	if f == nil {
		return Attr{}, false
	}
	f.mu.Lock()
	defer f.unlock()
	if f.core.named(key) != nil || !follow(&f.core) || !f.core.exists() {
		return Attr{}, false
	}
	return f.core.content.attr, true
}

// Follows tells whether the handle shows the live file that has the key, with what processes
// here make of it.
func (h *Handle) Follows(key string) bool {
	h.f.mu.Lock()
	defer h.f.unlock()
	c := &h.f.core
	return c.named(key) == nil && c.live() != nil && (h.pin == nil || h.joined)
}

// Unsaved returns the files directly in a directory that were made here and are not in the
// bucket yet, with their attributes, by key.
func (t *Table) Unsaved(dirKey string) map[string]Attr {
	var found map[string]Attr
	for _, f := range t.below(dirKey) {
		f.mu.Lock()
		if name := strings.TrimPrefix(f.core.key, dirKey); f.core.onlyHere() && !strings.Contains(name, "/") {
			if found == nil {
				found = make(map[string]Attr)
			}
			found[f.core.key] = f.core.content.attr
		}
		f.unlock()
	}
	return found
}

// below returns the files in the table whose keys are below the directory.
func (t *Table) below(dirKey string) (fs []*File) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, f := range t.files {
		if key != dirKey && strings.HasPrefix(key, dirKey) {
			fs = append(fs, f)
		}
	}
	return fs
}

// liveBelow gives the key of a file below the directory that is there for those who look on this
// host, whatever the bucket says; "" if there is none.
func (t *Table) liveBelow(dirKey string) string {
	for _, f := range t.below(dirKey) {
		f.mu.Lock()
		here, key := f.core.live() != nil && f.core.exists(), f.core.key
		f.unlock()
		if here {
			return key
		}
	}
	return ""
}
