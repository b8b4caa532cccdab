package flatstore

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/versity/versitygw/s3err"
	bolt "go.etcd.io/bbolt"
)

const maxBatch = 256 // operations in one transaction

// errClosed is an operation on a store that was closed.
var errClosed = errors.New("the store is closed")

// An operation is one change of the index, waiting to be committed.
type operation struct {
	do    func(*tx) error
	files bool // a content file belongs to it, whose directory entry must be durable first
	err   error
	done  chan struct{}
}

// update runs do in a transaction and returns once it is on disk. All operations that
// wait at the same time share one transaction, one after the other, so each judges its
// conditions on what the one before it left.
//
// do returns an error before its first write, and then has no effect. (If it fails
// later than that, the transaction is undone and run again without it, so do must not
// keep state of its own between runs.) An error of update that did not come from do
// leaves open whether the change happened.
func (s *Store) update(files bool, do func(*tx) error) error {
	op := &operation{do: do, files: files, done: make(chan struct{})}
	s.closing.RLock()
	if s.closed {
		s.closing.RUnlock()
		return errClosed
	}
	s.queue <- op
	s.closing.RUnlock()
	<-op.done
	return op.err
}

// commitLoop takes operations from the queue until it is closed.
func (s *Store) commitLoop() {
	defer close(s.committed)
	for op := range s.queue {
		batch := []*operation{op}
	more:
		for len(batch) < maxBatch {
			select {
			case op, ok := <-s.queue:
				if !ok {
					break more
				}
				batch = append(batch, op)
			default:
				break more
			}
		}
		dead := s.commit(batch)
		if len(dead) > 0 {
			s.removals.Go(func() { s.files.discard(dead) })
		}
		for _, op := range batch {
			close(op.done)
		}
	}
}

// commit runs the batch and gives the content files that are dead afterwards.
func (s *Store) commit(batch []*operation) []segmentID {
	for _, op := range batch {
		if op.files {
			if err := s.files.sync(); err != nil {
				fail(batch, err)
				return nil
			}
			break
		}
	}
	for {
		var t *tx
		var spoiler *operation
		err := s.db.Update(func(b *bolt.Tx) error {
			t = &tx{Tx: b}
			for _, op := range batch {
				before := t.writes
				op.err = op.do(t)
				if t.failed != nil {
					return t.failed
				}
				if op.err != nil && t.writes != before {
					spoiler = op
					return op.err
				}
			}
			return nil
		})
		switch {
		case spoiler != nil && len(batch) == 1:
			return nil
		case spoiler != nil:
			rest := make([]*operation, 0, len(batch)-1)
			for _, op := range batch {
				if op != spoiler {
					rest = append(rest, op)
				}
			}
			batch = rest
		case err != nil:
			fail(batch, fmt.Errorf("committing to the index: %w", err))
			return nil
		default:
			return t.dead
		}
	}
}

func fail(batch []*operation, err error) {
	for _, op := range batch {
		op.err = &indexError{err}
	}
}

// An indexError is a failed commit: the index may or may not hold the change.
type indexError struct{ err error }

func (e *indexError) Error() string { return e.err.Error() }
func (e *indexError) Unwrap() error { return e.err }

// commitError turns a full disk into its answer, and leaves the others as they are.
func commitError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice)
	}
	return err
}
