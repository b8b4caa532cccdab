package storetest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/latchfs/latchfs/store"
)

const racers, rounds = 8, 6

// race lets writers go at once and gives their errors.
func race(writers ...func() error) []error {
	var wg sync.WaitGroup
	errs := make([]error, len(writers))
	start := make(chan struct{})
	for i, w := range writers {
		wg.Go(func() {
			<-start
			errs[i] = w()
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// oneWins lets racers write one key under one condition, again and again, and checks that
// exactly one succeeds. prepare gives racer i's write of the content "by i".
func (e *env) oneWins(prepare func(key string, i int) func(store.Condition) error) {
	e.Helper()
	for round := range rounds {
		key, cond, versions := e.key(fmt.Sprint("k", round)), absent, 1
		if round%2 == 1 {
			cond, versions = over(e.put(key, "base", absent)), 2
		}
		var writers []func() error
		for i := range racers {
			write := prepare(key, i)
			writers = append(writers, func() error { return write(cond) })
		}
		winners := 0
		for i, err := range race(writers...) {
			switch {
			case err == nil:
				winners++
				e.holds(key, fmt.Sprint("by ", i))
			case errors.Is(err, store.ErrBusy): // S3 answers 409 to some
			default:
				e.refused(err, store.ErrPrecondition)
			}
		}
		if winners != 1 {
			e.Errorf("round %d: %d winners", round, winners)
		}
		e.versions(key, versions)
	}
}

func testRacingPuts(e *env) {
	e.oneWins(func(key string, i int) func(store.Condition) error {
		return func(cond store.Condition) error {
			_, err := e.Put(e.Context(), putRequest(key, fmt.Sprint("by ", i), cond))
			return err
		}
	})
}

func testRacingCompletes(e *env) {
	e.oneWins(func(key string, i int) func(store.Condition) error {
		u := e.upload(store.CreateUploadRequest{Key: key}, fmt.Sprint("by ", i))
		return func(cond store.Condition) error {
			_, err := u.complete(cond)
			return err
		}
	})
}

func testRacingCopies(e *env) {
	e.oneWins(func(key string, i int) func(store.Condition) error {
		from := key + fmt.Sprint("-source", i)
		e.put(from, fmt.Sprint("by ", i), absent)
		return func(cond store.Condition) error {
			_, err := e.Copy(e.Context(), store.CopyRequest{Key: key, Cond: cond, Source: from})
			return err
		}
	})
}

// testPutRacesDelete: of a write and a removal of the same version exactly one happens.
func testPutRacesDelete(e *env) {
	ctx := e.Context()
	for round := range 2 * rounds {
		key := e.key(fmt.Sprint("k", round))
		base := e.put(key, "base", absent)
		errs := race(
			func() error {
				_, err := e.Put(ctx, putRequest(key, "new", over(base)))
				return err
			},
			func() error { return e.Delete(ctx, store.DeleteRequest{Key: key, IfMatch: base.ETag}) })
		put, del := errs[0], errs[1]
		switch {
		case put == nil && del != nil:
			if !errors.Is(del, store.ErrBusy) {
				e.refused(del, store.ErrPrecondition)
			}
			e.holds(key, "new")
		case put != nil && del == nil:
			if !errors.Is(put, store.ErrBusy) && !errors.Is(put, store.ErrPrecondition) {
				e.refused(put, store.ErrNotFound)
			}
			e.empty(key)
		default:
			e.Errorf("put: %v, delete: %v: not exactly one happened", describe(put), describe(del))
		}
		if e.versioned {
			e.versions(key, 2) // of the removal a delete marker
		}
	}
}
