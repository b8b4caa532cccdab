package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/internal/change"
	"github.com/latchfs/latchfs/store"
)

// An Action is what a Step does; it is the word that people and scripts see.
type Action string

// The actions.
const (
	Restore  Action = "restore"  // a version becomes the current one, by a copy
	Delete   Action = "delete"   // a deletion on top of what is there
	Undelete Action = "undelete" // the deletions on top are removed
)

// A Step is the change of one name.
type Step struct {
	Key string
	Do  Action
	// From is the version to restore, of this key or another one.
	From store.Info
	// Is what has to be under the name, or the step is not done; Undelete needs that nothing is there.
	Is store.Base
}

// A Restorer makes plans and carries them out. It is safe for concurrent use.
type Restorer struct {
	objects    *store.Client
	history    *history.History
	session    *change.Session
	versioning store.Versioning
}

// ErrNothing: there is nothing to bring back, or nothing to do.
var ErrNothing = errors.New("nothing to do")

// New returns a Restorer of a bucket that changes it through a session, which may be nil for one that
// only makes plans. It fails in one line if the bucket never kept versions.
func New(ctx context.Context, objects *store.Client, s *change.Session) (*Restorer, error) {
	v, err := objects.Versioning(ctx)
	if err != nil {
		return nil, err
	}
	if v == store.VersioningOff {
		return nil, errors.New("the bucket keeps no versions, so that nothing can be brought back: switch versioning on with latchfs init, for what is saved from then on")
	}
	return &Restorer{objects: objects, history: history.New(objects), session: s, versioning: v}, nil
}

// History is that of the bucket.
func (r *Restorer) History() *history.History { return r.history }

// writes fails where a new version would take the place of one that has no id.
func (r *Restorer) writes() error {
	if r.versioning == store.VersioningOn {
		return nil
	}
	return errors.New("versioning of the bucket is suspended, so that something of the history would be lost: switch it on again with latchfs init")
}

// A Result is what a step has done.
type Result struct {
	// Info is what is under the name now; the zero Info is nothing.
	Info store.Info
	// Lock is by what Object Lock keeps the version that was restored. The new version is not kept by it.
	Lock store.Lock
}

// Do carries one step out. It fails with store.ErrConflict if something else is there than the step
// expects, with an ArchivedError, and as the functions of file.Locked do.
func (r *Restorer) Do(ctx context.Context, s Step) (res Result, err error) {
	for range leases {
		// Without a valid lease nothing was sent, and the step may be begun anew under another one.
		if res, err = r.once(ctx, s); !errors.Is(err, store.ErrNotPermitted) || ctx.Err() != nil {
			break
		}
	}
	return res, err
}

// leases is how many leases are taken for a step: this process may have been stopped for a while.
const leases = 3

func (r *Restorer) once(ctx context.Context, s Step) (res Result, err error) {
	switch s.Do {
	case Restore:
		return r.restore(ctx, s)
	case Undelete:
		res.Info, err = r.undelete(ctx, s.Key)
		return res, err
	}
	err = r.session.Locked(ctx, s.Key, func(l *file.Locked) error {
		if err := s.stands(l.Found()); err != nil {
			return err
		}
		return l.Remove()
	})
	return res, err
}

// stands fails if something else is under the name than the step expects.
func (s Step) stands(found store.Info) error {
	if found.Base().Same(s.Is) {
		return nil
	}
	return fmt.Errorf("%q: %w since it was looked at; that stays", s.Key, store.ErrConflict)
}

// archives are the storage classes whose objects cannot be read at once.
var archives = []string{"GLACIER", "DEEP_ARCHIVE"}

func (r *Restorer) restore(ctx context.Context, s Step) (res Result, err error) {
	src, err := r.objects.Head(ctx, s.From.Key, s.From.VersionID)
	if err != nil {
		return res, fmt.Errorf("version %s of %q: %w", s.From.VersionID, s.From.Key, err)
	}
	class := src.Props.StorageClass
	if slices.Contains(archives, class) {
		src.Props.StorageClass = "" // what is restored is to be read
	}
	err = r.session.Locked(ctx, s.Key, func(l *file.Locked) (err error) {
		if err := s.stands(l.Found()); err != nil {
			return err
		}
		res.Info, err = l.Copy(src, store.Audit{What: store.WhatRestore, From: src.VersionID})
		return err
	})
	if errors.Is(err, store.ErrArchived) {
		err = &ArchivedError{Key: s.From.Key, Version: s.From.VersionID, Class: class}
	}
	res.Lock = src.Lock
	return res, err
}

// An ArchivedError says that a version has to be got out of its archive first.
type ArchivedError struct{ Key, Version, Class string }

func (e *ArchivedError) Error() string {
	return fmt.Sprintf("version %s of %q is in storage class %s, which nobody can read at once: have S3 restore it (aws s3api restore-object with --version-id), and try again then",
		e.Version, e.Key, e.Class)
}

// Unwrap makes it match store.ErrArchived.
func (e *ArchivedError) Unwrap() error { return store.ErrArchived }

func (r *Restorer) undelete(ctx context.Context, key string) (info store.Info, err error) {
	err = r.session.Locked(ctx, key, func(l *file.Locked) error {
		if l.Found().ETag != "" {
			return fmt.Errorf("%w: %q is not deleted", ErrNothing, key)
		}
		versions, err := r.history.Versions(ctx, key)
		if err != nil {
			return err
		}
		var markers []string
		for _, v := range slices.Backward(versions) {
			if !v.Deleted {
				info, err = l.Undelete(markers, v.Info.VersionID)
				return err
			}
			if v.Info.VersionID == "null" {
				return fmt.Errorf("%q was deleted while versioning was suspended, and that deletion has no id by which it could be removed: use latchfs restore", key)
			}
			markers = append(markers, v.Info.VersionID)
		}
		if len(markers) == 0 {
			return fmt.Errorf("%w: nothing is, or was, at %q", ErrNothing, key)
		}
		return fmt.Errorf("%w: nothing is left of %q but deletions", ErrNothing, key)
	})
	return info, err
}
