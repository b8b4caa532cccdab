package s3table

import (
	"context"
	"errors"

	"github.com/latchfs/latchfs/lockmgr"
)

// knownLimit bounds the records kept in memory.
const knownLimit = 1 << 16

func (t *Table) recall(name string) known[lock] {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.locks[name]
}

func (t *Table) retain(name string, k known[lock]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k.etag == "" {
		delete(t.locks, name)
		return
	}
	if _, ok := t.locks[name]; !ok && len(t.locks) >= knownLimit {
		for old := range t.locks { // any will do: it costs its owner one look
			delete(t.locks, old)
			break
		}
	}
	t.locks[name] = k
}

// read fetches a lock's record and keeps it in mind.
func (t *Table) read(ctx context.Context, verb, name string) (known[lock], error) {
	var k known[lock]
	etag, err := t.get(ctx, t.api, verb, lockKey(name), &k.rec)
	if err != nil {
		return k, err
	}
	k.etag = etag
	t.retain(name, k)
	return k, nil
}

// write puts l over a lock in any state that may be replaced, looking again where the
// record is not in the state that was last known.
func (t *Table) write(ctx context.Context, verb string, l lockmgr.Lock, may func(now lock) bool) (lockmgr.Lock, error) {
	rec := lock{Name: []byte(l.Name), SID: l.SID, Nonce: l.Nonce, Host: l.Host, Since: l.Since.UTC()}
	k := t.recall(l.Name)
	for range rounds {
		if may(k.rec) {
			etag, err := t.put(ctx, t.api, verb, lockKey(l.Name), k.etag, rec)
			if err == nil {
				t.retain(l.Name, known[lock]{etag, rec})
				return l, nil
			}
			if !errors.Is(err, errChanged) {
				return lockmgr.Lock{}, err
			}
		}
		var err error
		if k, err = t.read(ctx, verb, l.Name); err != nil {
			return lockmgr.Lock{}, err
		}
		if k.rec.Nonce == l.Nonce || !may(k.rec) {
			return k.rec.public(), nil
		}
	}
	return lockmgr.Lock{}, busy(verb, l.Name)
}

// AcquireLock implements lockmgr.Table: one request where the lock has no record, or where we
// released it last.
func (t *Table) AcquireLock(ctx context.Context, l lockmgr.Lock) (lockmgr.Lock, error) {
	return t.write(ctx, "acquire", l, func(now lock) bool { return now.Nonce == "" || now.Nonce == l.Nonce })
}

// StealLock implements lockmgr.Table.
func (t *Table) StealLock(ctx context.Context, l lockmgr.Lock, seen string) (lockmgr.Lock, error) {
	return t.write(ctx, "steal", l, func(now lock) bool { return now.Nonce != "" && (now.Nonce == seen || now.Nonce == l.Nonce) })
}

// ReleaseLock implements lockmgr.Table.
func (t *Table) ReleaseLock(ctx context.Context, name, nonce string) error {
	k := t.recall(name)
	for range rounds {
		if k.rec.Nonce == nonce && k.etag != "" {
			free, err := t.free(ctx, name, k.etag)
			if err == nil {
				t.retain(name, free)
				return nil
			}
			if !errors.Is(err, errChanged) {
				return err
			}
		}
		var err error
		if k, err = t.read(ctx, "release", name); err != nil {
			return err
		}
		if k.rec.Nonce != nonce {
			return nil // released before, or another's by now
		}
	}
	return busy("release", name)
}

// free makes a lock free that is in the state with this ETag, and gives the record after that. Who may
// not remove records writes them.
func (t *Table) free(ctx context.Context, name, etag string) (known[lock], error) {
	if t.removes.Load() {
		err := t.remove(ctx, "release", lockKey(name), etag)
		if !errors.Is(err, lockmgr.ErrAccessDenied) {
			return known[lock]{}, err
		}
		t.removes.Store(false)
	}
	rec := lock{Name: []byte(name)}
	etag, err := t.put(ctx, t.api, "release", lockKey(name), etag, rec)
	return known[lock]{etag, rec}, err
}

// GetLock implements lockmgr.Table.
func (t *Table) GetLock(ctx context.Context, name string) (lockmgr.Lock, error) {
	k, err := t.read(ctx, "read", name)
	return k.rec.public(), err
}
