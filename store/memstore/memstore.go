// Package memstore is an S3 bucket in memory: a complete fake of store.API, for tests.
//
// What it decides on its own is what S3 documents: conditions are judged in the same step
// that writes, If-Match on a missing key is 404 and not 412, ETags are MD5 sums (of the
// parts' MD5 sums for a multipart upload), and LastModified has whole seconds. What a
// multipart upload makes counts as made when the upload was begun: that is its LastModified
// and its place among the versions, so that another version may be the current one when
// the upload is completed. The bucket may be versioned, not versioned, or suspended. A
// request is applied at once and always answered; faultstore makes it otherwise. Options.Flaws make a
// server that others have.
package memstore

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/latchfs/latchfs/store"
)

// Options of a Bucket; the zero value is an existing bucket without versioning.
type Options struct {
	// Versioned: versioning is on from the start.
	Versioned bool
	// Missing: the bucket does not exist until CreateBucket.
	Missing bool
	// Flaws are what the server does wrong: it ignores the conditions that they name, Abort removes
	// the object, a read of a version by range gives the whole, and versions are listed oldest first.
	Flaws store.Flaws
	// Races are the kinds of conditions, named by their flaw, that are judged a millisecond before
	// the request has its effect, so that several racers win.
	Races store.Flaws
	// Retention, unless it is zero, is the rule of Object Lock, which keeps every version.
	Retention store.Retention
	// Now gives LastModified; nil is time.Now.
	Now func() time.Time
}

// A Bucket is one bucket and its server.
type Bucket struct {
	now          func() time.Time
	flaws, races store.Flaws

	mu sync.Mutex // guards what follows; not held while a body is read
	// objects holds the versions of each name, in the order of their places. A name without
	// versions is not in it.
	objects    map[string][]*version
	last       int // the place that was given last
	uploads    map[string]*upload
	requests   map[string]int
	versioning versioning
	missing    bool
	retention  store.Retention
	lifecycle  store.Lifecycle
}

type versioning int

const (
	never versioning = iota // no version id is shown, and all are "null"
	on
	suspended
)

var _ store.API = (*Bucket)(nil)

// New returns an empty bucket.
func New(o Options) *Bucket {
	b := &Bucket{now: o.Now, flaws: o.Flaws, races: o.Races, retention: o.Retention, missing: o.Missing, objects: map[string][]*version{},
		uploads: map[string]*upload{}, requests: map[string]int{}}
	if b.now == nil {
		b.now = time.Now
	}
	if o.Versioned {
		b.versioning = on
	}
	return b
}

// Count tells how many requests of an operation have arrived, named as the methods of
// store.API are.
func (b *Bucket) Count(op string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.requests[op]
}

// Requests gives the counts of all operations that have arrived.
func (b *Bucket) Requests() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.requests)
}

// seconds is the time as the server stamps it.
func (b *Bucket) seconds() time.Time { return b.now().UTC().Truncate(time.Second) }

// HeadBucket implements store.API.
func (b *Bucket) HeadBucket(ctx context.Context) error {
	_, err := b.begin(ctx, "HeadBucket", "")
	return err
}

// CreateBucket implements store.API. As in most regions, it is refused if the bucket is
// there.
func (b *Bucket) CreateBucket(ctx context.Context) error {
	c := call{"CreateBucket", ""}
	if err := c.alive(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests[c.op]++
	if !b.missing {
		return c.refused("BucketAlreadyOwnedByYou")
	}
	b.missing = false
	return nil
}

// Versioning implements store.API.
func (b *Bucket) Versioning(ctx context.Context) (store.Versioning, error) {
	if _, err := b.begin(ctx, "Versioning", ""); err != nil {
		return store.VersioningOff, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return [...]store.Versioning{never: store.VersioningOff, on: store.VersioningOn, suspended: store.VersioningSuspended}[b.versioning], nil
}

// DefaultRetention implements store.API.
func (b *Bucket) DefaultRetention(ctx context.Context) (store.Retention, error) {
	if _, err := b.begin(ctx, "DefaultRetention", ""); err != nil {
		return store.Retention{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.retention, nil
}

// EnableVersioning implements store.API.
func (b *Bucket) EnableVersioning(ctx context.Context) error {
	if _, err := b.begin(ctx, "EnableVersioning", ""); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.versioning = on
	return nil
}

// Server implements store.API.
func (b *Bucket) Server() string { return "memstore" }

// Skew implements store.API.
func (b *Bucket) Skew() (time.Duration, bool) { return time.Until(b.now()), true }
