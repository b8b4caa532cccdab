package review

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/store"
)

// Objects is what is asked of a bucket; *store.Client has it.
type Objects interface {
	history.Objects
	Get(ctx context.Context, key string, o store.GetOptions) (*store.Object, error)
	Labels(ctx context.Context, key, version string) ([]string, error)
}

// parallel is how many requests are sent at a time. S3 takes 5,500 a second for each prefix.
const parallel = 32

// An Entry is a change of a file: a version, or its deletion.
type Entry struct {
	history.Version
	Before  *history.Version // nil: it is the oldest one that is left
	Commit  store.Commit     // empty for a deletion, which says nothing of itself
	Posix   store.Posix
	What    store.What
	Change  int64 // of the size, in bytes, against the version before; a deletion takes all
	Current bool
	Labels  []string // as far as the caller may read tags
}

// By names who made the version: the user and the host, or the host alone; "" where that is not known,
// as of deletions and of what other tools wrote.
func (e Entry) By() string {
	switch c := e.Commit; {
	case e.What == store.WhatForeign || c.Host == "" && c.User == "":
		return ""
	case c.User == "":
		return c.Host
	case c.Host == "":
		return c.User
	default:
		return c.User + "@" + c.Host
	}
}

// LogOptions choose what Log shows.
type LogOptions struct {
	Since time.Time         // changes before it are left out
	Tick  func(done, n int) // told how many of n versions are known; may be nil
}

// Log gives the changes of keys, each given by all its versions, oldest first; what it gives is in the
// order of time, newest first. It asks one HEAD for each version that it gives, and for the tags of those that have any,
// several at a time. A version that was removed for good meanwhile is left out. It fails with the errors of the store.
func Log(ctx context.Context, objects Objects, o LogOptions, keys ...[]history.Version) ([]Entry, error) {
	var entries []Entry
	var ends []int // of each key
	for _, versions := range keys {
		for i, v := range versions {
			if v.Time.Before(o.Since) {
				continue
			}
			e := Entry{Version: v, Change: v.Info.Size, Current: i == len(versions)-1}
			if i > 0 {
				e.Before = &versions[i-1]
				e.Change -= e.Before.Info.Size
			}
			entries = append(entries, e)
		}
		ends = append(ends, len(entries))
	}
	gone, err := look(ctx, objects, entries, o.Tick)
	if err != nil {
		return nil, err
	}
	begin := 0
	for _, end := range ends {
		judge(entries[begin:end])
		begin = end
	}
	left := entries[:0]
	for i, e := range entries {
		if !gone[i] {
			left = append(left, e)
		}
	}
	slices.Reverse(left)
	slices.SortStableFunc(left, func(a, b Entry) int { return b.Time.Compare(a.Time) })
	return left, nil
}

// look completes the entries, and tells which of them are not there any more.
func look(ctx context.Context, objects Objects, entries []Entry, tick func(done, n int)) (map[int]bool, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu   sync.Mutex // guards gone and done
		gone = make(map[int]bool)
		done int
		wg   sync.WaitGroup
	)
	turns := make(chan struct{}, parallel)
	for i := range entries {
		e := &entries[i]
		turns <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-turns }()
			err := e.look(ctx, objects)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, store.ErrNotFound):
				gone[i] = true
			case err != nil:
				cancel(err)
			}
			if done++; tick != nil {
				tick(done, len(entries))
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return gone, nil
}

// look asks for what the listing does not tell of a version.
func (e *Entry) look(ctx context.Context, objects Objects) error {
	if e.Deleted {
		return nil
	}
	i, err := objects.Head(ctx, e.Info.Key, e.Info.VersionID)
	if err != nil {
		return fmt.Errorf("looking at version %s of %q: %w", e.Info.VersionID, e.Info.Key, err)
	}
	e.Info, e.Commit, e.Posix = i, store.ReadCommit(i.Props.Meta), store.ReadPosix(i.Props.Meta)
	if i.Props.TagCount == 0 {
		return nil
	}
	e.Labels, err = objects.Labels(ctx, i.Key, i.VersionID)
	if errors.Is(err, store.ErrAccessDenied) {
		return nil
	}
	return err
}

// judge tells what made each version. One of an earlier latchfs does not say so itself.
func judge(entries []Entry) {
	commits := make([]store.Commit, len(entries))
	for i, e := range entries {
		commits[i] = e.Commit
	}
	foreign := store.Foreign(commits)
	for i := range entries {
		switch e := &entries[i]; {
		case e.Deleted:
			e.What = store.WhatDelete
		case foreign[i]:
			e.What = store.WhatForeign
		case e.Commit.What != "":
			e.What = e.Commit.What
		case e.Meta:
			e.What = store.WhatMeta
		default:
			e.What = store.WhatWrite
		}
	}
}
