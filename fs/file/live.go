package file

import "strings"

// Attr returns the attributes of a file of which this host, not the bucket, has the truth:
// a process has it open for write, or a commit is pending.
func (t *Table) Attr(key string) (Attr, bool) {
	t.mu.Lock()
	f := t.files[key]
	t.mu.Unlock()
	if f == nil {
		return Attr{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.named(key) != nil || !f.live() || !f.exists() {
		return Attr{}, false
	}
	return f.attr, true
}

// Unsaved returns the files directly in a directory that were made here and are not in the
// bucket yet, with their attributes, by key.
func (t *Table) Unsaved(dirKey string) map[string]Attr {
	var found map[string]Attr
	for _, f := range t.below(dirKey) {
		f.mu.Lock()
		if name := strings.TrimPrefix(f.key, dirKey); f.base.ETag == "" && f.state.pending() && !strings.Contains(name, "/") {
			if found == nil {
				found = make(map[string]Attr)
			}
			found[f.key] = f.attr
		}
		f.mu.Unlock()
	}
	return found
}
