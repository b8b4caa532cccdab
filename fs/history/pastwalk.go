package history

import (
	"context"
	"fmt"
	"time"

	"github.com/latchfs/latchfs/store"
)

// A pastWalk goes through the keys with a prefix, in their order, and finds what stood under each at
// a time: the newest version that had become the current one by then, which may be a deletion. It
// goes by the times that Versions gives, and holds one page of the listing, however many versions a
// key has.
type pastWalk struct {
	objects versionLister
	at      time.Time
	o       store.VersionOptions

	// key is the one whose versions are being listed, newest first, and stood the one of them that
	// may have stood at the time, "" if there is none so far.
	key   string
	stood store.Version
	has   bool

	done string // the last key of which all versions were seen
	end  bool
}

type versionLister interface {
	ListVersions(ctx context.Context, o store.VersionOptions) (store.VersionPage, error)
}

// newPastWalk begins a walk behind the key after, or with the first one.
func newPastWalk(objects versionLister, prefix, after string, at time.Time) *pastWalk {
	return &pastWalk{objects: objects, at: at, done: after, o: store.VersionOptions{Prefix: prefix, KeyMarker: after}}
}

// page asks for one more page, and gives what stood under the keys that it is done with by then.
func (w *pastWalk) page(ctx context.Context) (stood []store.Info, err error) {
	page, err := w.objects.ListVersions(ctx, w.o)
	if err != nil {
		return nil, err
	}
	if len(page.Versions) > 0 && page.Versions[0].Info.Key < w.o.KeyMarker {
		return nil, fmt.Errorf("the list of versions behind %q begins with %q", w.o.KeyMarker, page.Versions[0].Info.Key)
	}
	next := func() {
		if w.has && !w.stood.Deleted {
			stood = append(stood, w.stood.Info)
		}
		if w.key != "" {
			w.done = w.key
		}
		w.has = false
	}
	for _, v := range page.Versions {
		if v.Info.Key != w.key {
			next()
			w.key = v.Info.Key
		}
		switch {
		case v.Info.LastModified.After(w.at):
			// Whatever replaced this one did so later, even if it is an upload that began before.
			w.has = false
		case !w.has:
			w.stood, w.has = v, true
		}
	}
	w.o.KeyMarker, w.o.VersionMarker = page.NextKey, page.NextVersion
	if page.NextKey == "" {
		next()
		w.end = true
	}
	return stood, nil
}

// reached is the last key that was seen, if only in part.
func (w *pastWalk) reached() string { return max(w.key, w.done) }

// endOf is behind the keys of a directory, those apart that nobody has.
func endOf(dir string) string { return dir + "\U0010FFFF" }

// skip goes on behind a key, which need not be there.
func (w *pastWalk) skip(key string) {
	w.done, w.key, w.has = key, "", false
	w.o.KeyMarker, w.o.VersionMarker = key, ""
}
