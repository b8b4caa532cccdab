package flatstore

import (
	"iter"

	bolt "go.etcd.io/bbolt"
)

// each goes through the rows of b from start on. The bucket must not change meanwhile,
// and keys and values are valid only within the transaction.
func each(b *bolt.Bucket, start []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		c := b.Cursor()
		for k, v := c.Seek(start); k != nil; k, v = c.Next() {
			if !yield(k, v) {
				return
			}
		}
	}
}
