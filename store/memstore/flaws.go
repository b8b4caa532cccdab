package memstore

import (
	"slices"
	"time"

	"github.com/latchfs/latchfs/store"
)

// gap is the time between look and act of a server with Options.Races.
const gap = time.Millisecond

// condition tells whether the server honours conditions of a kind of request. b.mu is held; with
// Options.Races it is given up for a while after the condition was found true.
func (b *Bucket) condition(c call, of store.Flaws, cond store.Condition) error {
	if b.flaws.Has(of) {
		return nil
	}
	err := b.judge(c, cond)
	if err == nil && b.races.Has(of) && cond != (store.Condition{}) {
		b.mu.Unlock()
		time.Sleep(gap)
		b.mu.Lock()
	}
	return err
}

// sourceMatch is the condition on the source of a copy as far as the server honours it.
func (b *Bucket) sourceMatch(of store.Flaws, etag string) string {
	if b.flaws.Has(of) {
		return ""
	}
	return etag
}

// spoil is what a server whose Abort does harm takes away: the object of that name. b.mu is held.
func (b *Bucket) spoil(key string) {
	if v := b.current(key); v != nil && b.flaws.Has(store.AbortHarms) {
		b.remove(key, v.id)
	}
}

// misread gives the range that a server answers instead of the one that was asked for.
func (b *Bucket) misread(in store.GetRequest) *store.Range {
	if b.flaws.Has(store.WrongReads) && in.Version != "" {
		return nil
	}
	return in.Range
}

// misorder turns the versions of each key in a page round.
func (b *Bucket) misorder(page []store.Version) {
	if !b.flaws.Has(store.WrongHistory) {
		return
	}
	for len(page) > 0 {
		n := slices.IndexFunc(page, func(v store.Version) bool { return v.Info.Key != page[0].Info.Key })
		if n < 0 {
			n = len(page)
		}
		slices.Reverse(page[:n])
		page = page[n:]
	}
}
