package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// cleanUpTime is how long a probe may take to remove what it wrote, and shortCleanUp once it was
	// interrupted: somebody waits for the end of the process.
	cleanUpTime  = 30 * time.Second
	shortCleanUp = 5 * time.Second
	// cleaners is how many requests at a time remove something.
	cleaners = 16
)

// cleanUp removes what the probe wrote. It lists that first: a request whose answer was lost may
// have made something, too.
func (p *prober) cleanUp(ctx context.Context) {
	limit := cleanUpTime
	if ctx.Err() != nil {
		limit = shortCleanUp
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	remove := p.removals(ctx)
	for upload, key := range p.uploads {
		remove = append(remove, func() error {
			return p.removing(ctx, "AbortUpload", key, func(ctx context.Context) error { return p.c.api.AbortUpload(ctx, key, upload) })
		})
	}
	queue := make(chan func() error)
	workers := make([]func(), cleaners)
	for i := range workers {
		workers[i] = func() {
			for f := range queue {
				if err := f(); err != nil {
					p.leave(1, err)
				}
			}
		}
	}
	together(append(workers, func() {
		defer close(queue)
		for _, f := range remove {
			queue <- f
		}
	})...)
}

// removals give what removes each object or version.
func (p *prober) removals(ctx context.Context) (remove []func() error) {
	if !p.keepsVersions() {
		for key := range p.listed(ctx) {
			remove = append(remove, func() error {
				return p.removing(ctx, "Delete", key, func(ctx context.Context) error { return p.c.api.Delete(ctx, DeleteRequest{Key: key}) })
			})
		}
		return remove
	}
	for v := range p.listedVersions(ctx) {
		remove = append(remove, func() error {
			return p.removing(ctx, "DeleteVersion", v.key, func(ctx context.Context) error { return p.c.api.DeleteVersion(ctx, v.key, v.id) })
		})
	}
	return remove
}

// removing makes a request that removes something, and may be sent twice.
func (p *prober) removing(ctx context.Context, op, key string, request func(context.Context) error) error {
	_, err := repeat(ctx, readPatience, func(ctx context.Context) (struct{}, error) {
		a := attempt{op: op, key: key, permit: probing, limit: attemptTimeout}
		return try(ctx, p.c, a, func(ctx context.Context, _ *watch) (struct{}, error) { return struct{}{}, request(ctx) })
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	p.deny(op, err)
	return err
}

// leave notes that n things could not be removed.
func (p *prober) leave(n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left += n
	p.kept = p.kept || n > 0 && errors.Is(err, ErrRetained)
}

// deny notes that a request is not for these credentials, if err says so.
func (p *prober) deny(op string, err error) bool {
	if !errors.Is(err, ErrAccessDenied) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.denied[op] = true
	return true
}

// keepsVersions tells whether what was made has version ids, which it also has where versioning is
// suspended.
func (p *prober) keepsVersions() bool {
	if p.o.Versioned {
		return true
	}
	for _, ids := range p.made {
		for _, id := range ids {
			if id != "" && id != marker {
				return true
			}
		}
	}
	return false
}

// listed gives the keys below the prefix, and those known.
func (p *prober) listed(ctx context.Context) map[string]bool {
	keys := map[string]bool{}
	for key := range p.made {
		keys[key] = true
	}
	for o := (ListOptions{Prefix: p.prefix}); ; {
		page, err := read(ctx, p.c, "List", p.prefix, readPatience, func(ctx context.Context) (ListPage, error) { return p.c.api.List(ctx, o) })
		for _, i := range page.Objects {
			keys[i.Key] = true
		}
		if o.Token = page.Next; err != nil || o.Token == "" {
			return keys
		}
	}
}

// markers counts the delete markers.
func (p *prober) markers() (n int) {
	for _, ids := range p.made {
		for _, id := range ids {
			if id == marker {
				n++
			}
		}
	}
	return n
}

// A versionKey names a version of an object.
type versionKey struct{ key, id string }

// listedVersions gives the versions below the prefix, and those known. It compares the list with
// what is known of it.
func (p *prober) listedVersions(ctx context.Context) map[versionKey]bool {
	all := map[versionKey]bool{}
	for key, ids := range p.made {
		for _, id := range ids {
			if id != "" && id != marker {
				all[versionKey{key, id}] = true
			}
		}
	}
	found := map[string][]string{}
	for o := (VersionOptions{Prefix: p.prefix}); ; {
		page, err := read(ctx, p.c, "ListVersions", p.prefix, readPatience, func(ctx context.Context) (VersionPage, error) { return p.c.api.ListVersions(ctx, o) })
		for _, v := range page.Versions {
			all[versionKey{v.Info.Key, v.Info.VersionID}] = true
			id := v.Info.VersionID
			if v.Deleted {
				id = marker
			}
			found[v.Info.Key] = append(found[v.Info.Key], id)
		}
		if o.KeyMarker, o.VersionMarker = page.NextKey, page.NextVersion; err == nil && o.KeyMarker != "" {
			continue
		}
		if err == nil {
			p.compare(found)
			return all
		}
		if !p.deny("ListVersions", err) && fateOf(err) == Refused {
			p.noteHistory("ListObjectVersions is refused")
		}
		p.leave(p.markers(), err) // only the list names them
		return all
	}
}

// compare holds the listed versions of each key against those known, of which each has to be there,
// the newest first.
func (p *prober) compare(found map[string][]string) {
	for key, ids := range p.made {
		if !p.ordered[key] {
			continue
		}
		listed := found[key]
		for i := len(ids) - 1; i >= 0; i-- {
			for len(listed) > 0 && listed[0] != ids[i] {
				listed = listed[1:]
			}
			if len(listed) == 0 {
				p.noteHistory("ListObjectVersions does not list all versions, the newest first")
				return
			}
			listed = listed[1:]
		}
	}
}

func (p *prober) noteHistory(sentence string) {
	if p.o.Versioned {
		p.note(sight{flaw: WrongHistory, sentence: sentence})
	}
}

// RemoveProbed removes a version that a probe has left below ProbePrefix, "null" where the bucket keeps
// no versions; "" is the object itself, for a bucket that has none and credentials without the right to
// remove one. What is gone is fine. It fails as reads do, and refuses any other key.
func (c *Client) RemoveProbed(ctx context.Context, key, version string) error {
	if !strings.HasPrefix(key, ProbePrefix) {
		return fmt.Errorf("DeleteVersion %q: it is not below %s: %w", key, ProbePrefix, ErrRefused)
	}
	var err error
	if version == "" {
		err = c.tryDelete(ctx, key, "")
	} else {
		err = c.tryDeleteVersion(ctx, key, version)
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
