package label

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/latchfs/latchfs/internal/when"
	"github.com/latchfs/latchfs/store"
)

// A Moment is a time that the label of a directory stands for: what was current then has the label.
// Whoever lists labels could not ask for the tags of all that is below.
type Moment struct {
	Name string
	Time time.Time // whole seconds, in UTC
}

// momentsPrefix begins the keys that keep the moments, as objects without bytes:
//
//	.latchfs/labels/DIR/@/NAME~2026-11-22T18.29.05Z
//
// so that one listing tells those of a directory. The tags of the versions are the truth: a moment
// that is missing is only not listed.
const momentsPrefix = ".latchfs/labels/"

// Moments are those of a bucket.
type Moments struct{ Objects *store.Client }

func momentsOf(dirKey string) string { return momentsPrefix + dirKey + "@/" }

// Of gives the moments of a directory, whose key is "" or ends in a slash: its own and those of the
// directories above. Of several of the same name the nearest directory's newest counts. They are in
// the order of their names. It asks once for each directory on the way.
func (m Moments) Of(ctx context.Context, dirKey string) ([]Moment, error) {
	found := make(map[string]Moment)
	for dir := dirKey; ; dir = dir[:strings.LastIndexByte(strings.TrimSuffix(dir, "/"), '/')+1] {
		own := make(map[string]Moment)
		err := m.each(ctx, momentsOf(dir), func(_ store.Info, at Moment) error {
			if at.Time.After(own[at.Name].Time) {
				own[at.Name] = at
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for name, at := range own {
			if _, nearer := found[name]; !nearer {
				found[name] = at
			}
		}
		if dir == "" {
			break
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b Moment) int { return strings.Compare(a.Name, b.Name) }), nil
}

// Find gives the moment of that name; ok is false if there is none.
func (m Moments) Find(ctx context.Context, dirKey, name string) (at Moment, ok bool, err error) {
	all, err := m.Of(ctx, dirKey)
	i := slices.IndexFunc(all, func(at Moment) bool { return at.Name == name })
	if err != nil || i < 0 {
		return at, false, err
	}
	return all[i], true, nil
}

// each calls use for the moments whose keys begin so.
func (m Moments) each(ctx context.Context, prefix string, use func(store.Info, Moment) error) error {
	dir := prefix[:strings.LastIndexByte(prefix, '/')+1]
	for o := (store.ListOptions{Prefix: prefix, Delimiter: "/"}); ; {
		page, err := m.Objects.List(ctx, o)
		if err != nil {
			return fmt.Errorf("listing the labels of directories: %w", err)
		}
		for _, i := range page.Objects {
			name, at, _ := strings.Cut(strings.TrimPrefix(i.Key, dir), "~")
			t, err := time.Parse(when.PathForm, at)
			if err != nil || store.CheckLabel(name) != nil {
				continue // not ours
			}
			if err := use(i, Moment{name, t}); err != nil {
				return err
			}
		}
		if o.Token = page.Next; o.Token == "" {
			return nil
		}
	}
}

// Set keeps a moment of a directory; one that is kept already is fine. It fails with store.ErrLabel
// if the directory's key is too long for that.
func (m Moments) Set(ctx context.Context, dirKey string, at Moment) error {
	key := momentsOf(dirKey) + at.Name + "~" + when.Path(at.Time)
	if len(key) > store.MaxKey {
		return fmt.Errorf("the name of the directory is too long to keep the label's time: %w", store.ErrLabel)
	}
	w := store.Write{Key: key, ID: store.NewWriteID(), Audit: store.Audit{What: store.WhatWrite}}
	_, err := m.Objects.Put(ctx, store.Unleased("a key that says all there is to say"), w, store.Body{Size: 0, ReaderAt: strings.NewReader("")})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// Remove forgets all moments of that name of a directory, not of those above or below.
func (m Moments) Remove(ctx context.Context, dirKey, name string) error {
	return m.each(ctx, momentsOf(dirKey)+name+"~", func(i store.Info, _ Moment) error {
		err := m.Objects.Delete(ctx, store.Unleased("a key that says all there is to say"), store.Deletion{Key: i.Key, Base: i.Base()})
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
}

// settling is how long after a moment its versions are listed: an upload has the whole second at which
// it was taken, and the server's clock is known to a second.
const settling = 3 * time.Second

// Now gives the moment at which what is saved is current now: a little in the future. What was saved
// before the call is in it. ready waits until it is over.
func (m Moments) Now() (t time.Time, ready time.Duration) {
	now := m.Objects.ServerNow()
	t = now.Truncate(time.Second).Add(2 * time.Second).UTC()
	return t, t.Sub(now) + settling - 2*time.Second
}
