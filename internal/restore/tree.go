package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/internal/change"
	"github.com/latchfs/latchfs/store"
)

// A Plan is the steps for a directory, and how many names need none.
type Plan struct {
	Steps []Step
	Alike int
}

// Tree plans to bring a directory, whose key ends in a slash or is "", back to a time. What was not
// there then is left alone, unless remove says that it is to be deleted. It fails with ErrNothing if
// nothing is known to have been in the directory then.
//
// Files that are alike need no step. Most often their versions are the same; else properties are
// compared, two requests for each file of the same size.
func (r *Restorer) Tree(ctx context.Context, dir string, at time.Time, remove bool) (Plan, error) {
	if err := r.writes(); err != nil {
		return Plan{}, err
	}
	t := &treePlan{r: r, dir: dir, remove: remove, dirs: map[string]bool{dir: true}}
	err := r.history.Each(ctx, dir, func(_ string, versions []history.Version) error {
		t.add(versions, history.Current(versions, at))
		return ctx.Err()
	})
	switch {
	case err != nil:
		return Plan{}, err
	case t.then == 0:
		return Plan{}, fmt.Errorf("%w: nothing is known to have been below %q at %s", ErrNothing, dir, at.UTC().Format(time.RFC3339))
	}
	if err := t.compare(ctx); err != nil {
		return Plan{}, err
	}
	// A directory that was there then stays, also if it had no marker.
	t.plan.Steps = slices.DeleteFunc(t.plan.Steps, func(s Step) bool { return s.Do == Delete && t.dirs[s.Key] })
	return t.plan, nil
}

// A treePlan is one that is being made.
type treePlan struct {
	r      *Restorer
	dir    string
	remove bool
	then   int             // names that were there then
	dirs   map[string]bool // and the directories that they were in
	doubts []doubt
	plan   Plan
}

// A doubt is two versions that may be alike.
type doubt struct {
	step Step
	now  store.Info
}

// add plans for one key whose version i was the current one then.
func (t *treePlan) add(versions []history.Version, i int) {
	last := versions[len(versions)-1]
	s := Step{Key: last.Info.Key, Do: Delete, Is: base(last)}
	if i < 0 || versions[i].Deleted {
		if !last.Deleted && t.remove {
			t.plan.Steps = append(t.plan.Steps, s)
		}
		return
	}
	t.then++
	for dir := range above(s.Key) {
		t.dirs[dir] = true
	}
	was := versions[i]
	s.Do, s.From = Restore, was.Info
	switch {
	case i == len(versions)-1:
		t.plan.Alike++
	case !last.Deleted && was.Info.Size == last.Info.Size:
		t.doubts = append(t.doubts, doubt{s, last.Info})
	default:
		t.plan.Steps = append(t.plan.Steps, s)
	}
}

// compare decides about versions of the same size.
func (t *treePlan) compare(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	change.Each(ctx, t.doubts, func(d doubt) {
		alike, err := t.r.alike(ctx, d)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			cancel(err)
		case alike:
			t.plan.Alike++
		default:
			t.plan.Steps = append(t.plan.Steps, d.step)
		}
	})
	slices.SortFunc(t.plan.Steps, func(a, b Step) int { return strings.Compare(a.Key, b.Key) })
	return context.Cause(ctx)
}

// alike tells whether what is there has the content and the attributes of what was, or was made of
// it: a copy by parts has another ETag.
func (r *Restorer) alike(ctx context.Context, d doubt) (bool, error) {
	from := d.step.From
	now, err := r.history.Info(ctx, from.Key, d.now.VersionID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil // the step finds out
	}
	if err != nil {
		return false, err
	}
	if c := store.ReadCommit(now.Props.Meta); c.What == store.WhatRestore && c.From == from.VersionID {
		return true, nil
	}
	if now.ETag != from.ETag {
		return false, nil
	}
	was, err := r.history.Info(ctx, from.Key, from.VersionID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && store.Alike(was, now), err
}

// Deleted plans to undelete all that is deleted below a directory.
func (r *Restorer) Deleted(ctx context.Context, dir string) (Plan, error) {
	var p Plan
	err := r.history.Each(ctx, dir, func(key string, versions []history.Version) error {
		switch {
		case !versions[len(versions)-1].Deleted:
			p.Alike++
		case slices.ContainsFunc(versions, func(v history.Version) bool { return !v.Deleted }):
			p.Steps = append(p.Steps, Step{Key: key, Do: Undelete})
		}
		return ctx.Err()
	})
	return p, err
}
