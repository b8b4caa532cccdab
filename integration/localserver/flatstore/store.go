package flatstore

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/versity/versitygw/backend"
	bolt "go.etcd.io/bbolt"
)

// completedFor is how long a repeated CompleteMultipartUpload is recognised.
const completedFor = time.Hour

// A Store is the content of one folder. It is the only user of that folder: the caller
// sees to that with a lock.
type Store struct {
	backend.BackendUnsupported // answers 501 to what is not here

	db    *bolt.DB
	files *files
	log   *slog.Logger

	queue     chan *operation
	committed chan struct{} // closed when commitLoop has ended
	removals  sync.WaitGroup

	closing sync.RWMutex // guards closed, and queue against being closed under a sender
	closed  bool
}

var _ backend.Backend = (*Store)(nil)

// Open opens the store in dir, making it if it is not there, and removes the content
// files that a crash left without a row.
func Open(dir string, log *slog.Logger) (_ *Store, err error) {
	f, err := openFiles(filepath.Join(dir, "objects"))
	if err != nil {
		return nil, err
	}
	db, err := bolt.Open(filepath.Join(dir, "index.db"), 0o600, &bolt.Options{
		Timeout:        time.Second,
		NoFreelistSync: true, // it is rebuilt at start; writing it with every commit costs more
		FreelistType:   bolt.FreelistMapType,
	})
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", filepath.Join(dir, "index.db"), err)
	}
	s := &Store{
		db: db, files: f, log: log,
		queue: make(chan *operation, maxBatch), committed: make(chan struct{}),
	}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	err = db.Update(func(t *bolt.Tx) error {
		for _, name := range [][]byte{rootBuckets, rootSegments, rootInline, rootCompleted} {
			if _, err := t.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the index: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return nil, err
	}
	if err := s.sweep(); err != nil {
		return nil, fmt.Errorf("removing orphans: %w", err)
	}
	go s.commitLoop()
	return s, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Close ends the store once all operations that were begun are done.
func (s *Store) Close() error {
	s.closing.Lock()
	if s.closed {
		s.closing.Unlock()
		return nil
	}
	s.closed = true
	close(s.queue)
	s.closing.Unlock()
	<-s.committed
	s.removals.Wait()
	return s.db.Close()
}

// Shutdown is Close, for the protocol front.
func (s *Store) Shutdown() {
	if err := s.Close(); err != nil {
		s.log.Error("closing the store", "err", err)
	}
}

func (s *Store) String() string { return "flatstore" }

// NormalizeObjectKey gives the key as it is: no two keys mean the same object.
func (s *Store) NormalizeObjectKey(_, object string) string { return object }

func (s *Store) sweep() error {
	return s.db.View(func(t *bolt.Tx) error {
		segments := t.Bucket(rootSegments)
		n, err := s.files.sweep(func(id segmentID) bool { return segments.Get(id[:]) != nil })
		if n > 0 {
			s.log.Info("removed content files that no object refers to", "count", n)
		}
		return err
	})
}

// view runs look on a snapshot of the index. What it pins stays readable afterwards.
func (s *Store) view(look func(*tx) error) error {
	s.files.barrier.RLock()
	defer s.files.barrier.RUnlock()
	return s.db.View(func(b *bolt.Tx) error { return look(&tx{Tx: b}) })
}

// viewBucket is view with an S3 bucket looked up.
func (s *Store) viewBucket(name string, look func(*bucket) error) error {
	return s.view(func(t *tx) error {
		b, err := t.bucket(name)
		if err != nil {
			return err
		}
		return look(b)
	})
}

// updateBucket is update with an S3 bucket looked up.
func (s *Store) updateBucket(name string, files bool, do func(*bucket) error) error {
	return s.update(files, func(t *tx) error {
		b, err := t.bucket(name)
		if err != nil {
			return err
		}
		return do(b)
	})
}

// header gives a header of the request, and whether it was sent. The protocol front
// does not hand down all of them (the destination's conditions of CopyObject, for
// one), but its context is the request.
func header(ctx context.Context, name string) (string, bool) {
	rc, ok := ctx.(*fasthttp.RequestCtx)
	if !ok {
		return "", false
	}
	v := rc.Request.Header.PeekAll(name)
	if len(v) == 0 {
		return "", false
	}
	return string(v[0]), true
}

// query gives a parameter of the request's query.
func query(ctx context.Context, name string) string {
	if rc, ok := ctx.(*fasthttp.RequestCtx); ok {
		return string(rc.QueryArgs().Peek(name))
	}
	return ""
}
