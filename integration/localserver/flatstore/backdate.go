package flatstore

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Backdate makes all versions of a bucket older by a duration, so that a test has a history of days
// without waiting for it. No store may be open on the folder.
func Backdate(dir, bucket string, by time.Duration) (err error) {
	db, err := bolt.Open(filepath.Join(dir, "index.db"), 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		return fmt.Errorf("opening the index of %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.Update(func(t *bolt.Tx) error {
		b, err := (&tx{Tx: t}).bucket(bucket)
		if err != nil {
			return err
		}
		older := map[string][]byte{}
		for k, v := range each(b.versions(), nil) {
			row := &version{}
			tail, err := decodeRow(v, row)
			if err != nil {
				return err
			}
			row.Modified = row.Modified.Add(-by)
			if older[string(k)], err = encodeRow(row, tail); err != nil {
				return err
			}
		}
		for k, v := range older {
			if err := b.versions().Put([]byte(k), v); err != nil {
				return err
			}
		}
		return nil
	})
}
