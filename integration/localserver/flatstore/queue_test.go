package flatstore

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/versity/versitygw/s3err"
)

// An operation that fails after it has written is undone alone: those committed with it
// stay.
func TestSpoilerIsUndoneAlone(t *testing.T) {
	s := openStore(t)
	boom := errors.New("boom")
	set := func(k string) func(*tx) error {
		return func(t *tx) error { return t.put(t.Bucket(rootCompleted), []byte(k), []byte("{}\n")) }
	}
	// The first operation holds the queue until all others wait, so that they share a
	// transaction.
	held, go1 := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		s.update(false, func(*tx) error { close(held); <-go1; return nil })
	})
	<-held
	results := make([]error, 20)
	for i := range results {
		wg.Go(func() {
			results[i] = s.update(false, func(t *tx) error {
				if err := set(fmt.Sprint(i))(t); err != nil {
					return err
				}
				if i%5 == 0 {
					return boom
				}
				return nil
			})
		})
	}
	for len(s.queue) < len(results) {
		time.Sleep(time.Millisecond) // the senders are on their way
	}
	close(go1)
	wg.Wait()
	s.view(func(tx *tx) error {
		for i, err := range results {
			kept := tx.Bucket(rootCompleted).Get([]byte(fmt.Sprint(i))) != nil
			if spoiler := i%5 == 0; spoiler == kept || errors.Is(err, boom) != spoiler {
				t.Errorf("operation %d: %v, its write is kept: %v", i, err, kept)
			}
		}
		return nil
	})
	s.update(false, func(t *tx) error {
		for i := range results {
			t.delete(t.Bucket(rootCompleted), []byte(fmt.Sprint(i)))
		}
		return nil
	})
}

// When the index itself fails, nobody in the transaction is told that it is done, and
// nobody that it is not.
func TestFailedCommitIsUnclear(t *testing.T) {
	s := openStore(t)
	err := s.update(false, func(t *tx) error { return t.fail(syscall.EIO) })
	var unclear *indexError
	if !errors.As(err, &unclear) {
		t.Errorf("%v is not an indexError", err)
	}
	err = s.update(false, func(t *tx) error { return t.fail(syscall.ENOSPC) })
	wantCode(t, "a full disk", commitError(err), "InsufficientStorage")
}

func TestClosedStore(t *testing.T) {
	s := openStore(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.update(false, func(*tx) error { return nil }); !errors.Is(err, errClosed) {
		t.Errorf("update of a closed store: %v", err)
	}
}

func TestConditions(t *testing.T) {
	here, marker := &version{ETag: "e"}, &version{Marker: true}
	for _, c := range []struct {
		match, noneMatch string
		current          *version
		code             string
	}{
		{"", "", nil, ""}, {"", "", here, ""},
		{"e", "", here, ""}, {"*", "", here, ""}, {"f", "", here, "PreconditionFailed"},
		{"e", "", nil, "NoSuchKey"}, {"*", "", nil, "NoSuchKey"}, {"e", "", marker, "NoSuchKey"},
		{"", "*", nil, ""}, {"", "*", marker, ""}, {"", "*", here, "PreconditionFailed"},
		{"", "e", here, "NotImplemented"}, {"", "f", here, "NotImplemented"}, {"e", "*", here, "NotImplemented"},
	} {
		var cond condition
		if c.match != "" {
			cond.match = &c.match
		}
		if c.noneMatch != "" {
			cond.noneMatch = &c.noneMatch
		}
		wantCode(t, fmt.Sprintf("If-Match %q, If-None-Match %q, current %+v", c.match, c.noneMatch, c.current), cond.judge(c.current), c.code)
	}
	empty := ""
	wantCode(t, "an empty If-Match is a condition", condition{match: &empty}.judge(here), "PreconditionFailed")
	if err := (condition{match: &empty}).judge(nil); !errors.Is(err, s3err.GetAPIError(s3err.ErrNoSuchKey)) {
		t.Error(err)
	}
}
