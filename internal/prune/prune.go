// Package prune removes old versions for good.
//
// Each goes by its exact id, under the lease of its key, after it was looked at there once more. What
// stays in any case: the current version, the newest content of a deleted file, what has a label, what
// Object Lock keeps, and what has no id of its own (written while versioning was not on). An id never
// names another version, so that a request which is sent twice, or late, removes nothing else. Nothing
// is noted anywhere: after an interruption the same call does the rest.
//
// A program without leases that removes the current version by its id at the same moment makes the
// one below it the current one, and S3 has no condition by which a removal could see that.
package prune

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/store"
)

// Names leases the names of keys; *change.Session has it.
type Names interface {
	Locked(ctx context.Context, key string, do func(l *file.Locked) error) error
}

// A Step is what becomes, or would become, of a version that the policy lets go.
type Step struct {
	Key     string
	Version history.Version
	Kept    string // why it stays, if it does: a label, Object Lock
	Removed bool
	Err     error // why it could not be removed
}

// A Pruner removes the versions of keys. Ages are told by the server's clock, as the times of versions
// are: one of this host that is ahead would let go what is young.
type Pruner struct {
	Policy
	Objects *store.Client
	Names   Names // nil: nothing is removed
	// Tell is told of each step, one at a time.
	Tell func(Step)

	places chan struct{} // as many requests run at a time
	mu     sync.Mutex    // guards Tell
}

// parallel is how many requests run at a time: at 20 ms each about as many a second as S3 takes for
// each prefix.
const parallel = 64

// All prunes the keys that begin with prefix, "" or ending in a slash. It fails with the errors of
// the listing, and with the cause of ctx once nothing is under way.
func (p *Pruner) All(ctx context.Context, prefix string) error {
	p.places = make(chan struct{}, parallel)
	keys := make(chan struct{}, parallel)
	var all sync.WaitGroup
	err := history.New(p.Objects).Each(ctx, prefix, func(key string, versions []history.Version) error {
		if !p.any(versions) {
			return nil
		}
		select {
		case keys <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		all.Go(func() {
			defer func() { <-keys }()
			p.key(ctx, key, versions)
		})
		return nil
	})
	all.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}

// Key prunes one key.
func (p *Pruner) Key(ctx context.Context, key string) error {
	p.places = make(chan struct{}, parallel)
	versions, err := history.New(p.Objects).Versions(ctx, key)
	if err == nil && p.any(versions) {
		p.key(ctx, key, versions)
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}

// any tells whether something may go.
func (p *Pruner) any(versions []history.Version) bool {
	return len(p.contents(versions, p.Objects.ServerNow())) > 0 || len(p.markers(versions, p.Objects.ServerNow())) > 0
}

// key prunes a key of which something may go.
func (p *Pruner) key(ctx context.Context, key string, versions []history.Version) {
	if p.Names == nil {
		p.versions(ctx, versions, p.look)
		return
	}
	err := p.Names.Locked(ctx, key, func(l *file.Locked) error {
		versions, err := history.New(p.Objects).Versions(ctx, key)
		if err != nil {
			return err
		}
		return p.versions(ctx, versions, func(ctx context.Context, v history.Version) Step { return p.remove(ctx, l, v) })
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, errTold) {
		p.tell(Step{Key: key, Err: err})
	}
}

// errTold ends the time under a lease with an outcome that is unknown, so that the lease is kept.
var errTold = fmt.Errorf("the outcome of a removal is unknown: %w", store.ErrUnknownOutcome)

// versions does what is to be done with each version that may go: those with content side by side,
// then the deletions below which none is left.
func (p *Pruner) versions(ctx context.Context, versions []history.Version, do func(context.Context, history.Version) Step) error {
	goes, unknown := make(map[string]bool), false
	var mu sync.Mutex
	each := func(some []history.Version) {
		steps := make([]*Step, len(some))
		var all sync.WaitGroup
		defer func() {
			all.Wait()
			for _, s := range steps { // in the order of their time, whatever was answered first
				if s != nil {
					p.tell(*s)
				}
			}
		}()
		for i, v := range some {
			select {
			case p.places <- struct{}{}:
			case <-ctx.Done():
				return
			}
			all.Go(func() {
				defer func() { <-p.places }()
				s := do(ctx, v)
				if ctx.Err() != nil && !s.Removed && !errors.Is(s.Err, store.ErrUnknownOutcome) {
					return // nobody asks any more
				}
				mu.Lock()
				goes[v.Info.VersionID] = s.Kept == "" && s.Err == nil
				unknown = unknown || errors.Is(s.Err, store.ErrUnknownOutcome)
				mu.Unlock()
				steps[i] = &s
			})
		}
	}
	each(p.contents(versions, p.Objects.ServerNow()))
	var left []history.Version
	for _, v := range versions {
		if !goes[v.Info.VersionID] {
			left = append(left, v)
		}
	}
	each(p.markers(left, p.Objects.ServerNow()))
	if unknown {
		return errTold
	}
	return nil
}

// look tells what would become of a version.
func (p *Pruner) look(ctx context.Context, v history.Version) Step {
	s := Step{Key: v.Info.Key, Version: v}
	if v.Deleted {
		return s
	}
	if s.Kept, s.Err = p.labels(ctx, v); s.Err != nil || s.Kept != "" {
		return s
	}
	info, err := p.Objects.Head(ctx, v.Info.Key, v.Info.VersionID)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		s.Err = err
	case info.Lock.Hold:
		s.Kept = "legal hold"
	case info.Lock.Keeps(p.Objects.ServerNow()):
		s.Kept = "retained until " + info.Lock.Until.UTC().Format(time.RFC3339)
	}
	return s
}

// remove removes a version, unless a label or Object Lock keeps it.
func (p *Pruner) remove(ctx context.Context, l *file.Locked, v history.Version) Step {
	s := Step{Key: v.Info.Key, Version: v}
	if !v.Deleted {
		if s.Kept, s.Err = p.labels(ctx, v); s.Err != nil || s.Kept != "" {
			return s
		}
	}
	s.Err = l.Send(func(ctx context.Context, permit store.Permit, _ func(int64)) error {
		return p.Objects.RemoveVersion(ctx, permit, v.Info.Key, v.Info.VersionID)
	})
	if errors.Is(s.Err, store.ErrRetained) {
		s.Kept, s.Err = "Object Lock", nil
	}
	s.Removed = s.Err == nil && s.Kept == ""
	return s
}

// labels says that a version has labels. Its tags are asked for themselves: how many there are is not
// told to those who may not read them.
func (p *Pruner) labels(ctx context.Context, v history.Version) (kept string, err error) {
	labels, err := p.Objects.Labels(ctx, v.Info.Key, v.Info.VersionID)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil // somebody has removed it
	}
	if len(labels) > 0 {
		kept = "label " + strings.Join(labels, ", ")
	}
	return kept, err
}

func (p *Pruner) tell(s Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Tell(s)
}
