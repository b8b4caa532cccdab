package flatstore

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/versity/versitygw/s3err"
	bolt "go.etcd.io/bbolt"
)

// Buckets of the index. Below rootBuckets every S3 bucket has one of its own name.
var (
	rootBuckets   = []byte("buckets")
	rootSegments  = []byte("segments")  // segment id -> reference count and kind
	rootInline    = []byte("inline")    // segment id -> bytes
	rootCompleted = []byte("completed") // upload id -> completed

	subConfig   = []byte("config")   // a key, not a bucket: bucketConfig
	subVersions = []byte("versions") // rowKey -> version; its sequence numbers all versions
	subUploads  = []byte("uploads")  // upload id -> upload
	subParts    = []byte("parts")    // upload id, part number -> part
)

// A tx is a transaction on the index.
type tx struct {
	*bolt.Tx
	writes int         // made so far
	dead   []segmentID // files that nothing refers to any more, once this is committed
	failed error       // the index itself failed
}

// fail records that the index failed: the whole transaction must be undone.
func (t *tx) fail(err error) error {
	if err != nil && t.failed == nil {
		t.failed = fmt.Errorf("writing the index: %w", err)
	}
	return err
}

func (t *tx) put(b *bolt.Bucket, k, v []byte) error {
	t.writes++
	return t.fail(b.Put(k, v))
}

func (t *tx) delete(b *bolt.Bucket, k []byte) error {
	t.writes++
	return t.fail(b.Delete(k))
}

// A bucket is one S3 bucket within a transaction.
type bucket struct {
	t      *tx
	name   string
	root   *bolt.Bucket
	config bucketConfig
}

// bucket finds the S3 bucket of that name.
func (t *tx) bucket(name string) (*bucket, error) {
	var root *bolt.Bucket
	if name != "" {
		root = t.Bucket(rootBuckets).Bucket([]byte(name))
	}
	if root == nil {
		return nil, s3err.GetBucketErr(s3err.ErrNoSuchBucket, name)
	}
	b := &bucket{t: t, name: name, root: root}
	if _, err := decodeRow(root.Get(subConfig), &b.config); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *bucket) versions() *bolt.Bucket { return b.root.Bucket(subVersions) }
func (b *bucket) uploads() *bolt.Bucket  { return b.root.Bucket(subUploads) }
func (b *bucket) parts() *bolt.Bucket    { return b.root.Bucket(subParts) }

func (b *bucket) saveConfig() error {
	v, err := encodeRow(b.config, nil)
	if err != nil {
		return err
	}
	return b.t.put(b.root, subConfig, v)
}

// A segmentRow counts who refers to a segment.
type segmentRow struct {
	Refs   uint64
	Inline bool
}

func (r segmentRow) encode() []byte {
	b := []byte{0}
	if r.Inline {
		b[0] = 1
	}
	return binary.AppendUvarint(b, r.Refs)
}

func decodeSegment(b []byte) (segmentRow, error) {
	if len(b) < 2 || b[0] > 1 {
		return segmentRow{}, errors.New("a segment row of the index is damaged")
	}
	n, k := binary.Uvarint(b[1:])
	if k <= 0 || n == 0 {
		return segmentRow{}, errors.New("a segment row of the index is damaged")
	}
	return segmentRow{n, b[0] == 1}, nil
}

// errSegmentGone is an attempt to refer to a segment that was released meanwhile.
var errSegmentGone = errors.New("the content was released")

// adopt enters a staged body into the index, referred to once.
func (t *tx) adopt(s *staged) error {
	if s.size == 0 {
		return nil
	}
	if s.inline != nil {
		if err := t.put(t.Bucket(rootInline), s.id[:], s.inline); err != nil {
			return err
		}
	}
	return t.put(t.Bucket(rootSegments), s.id[:], segmentRow{1, s.inline != nil}.encode())
}

// retain adds a reference for every extent. It writes nothing if one of them is gone.
func (t *tx) retain(c content) error {
	segments := t.Bucket(rootSegments)
	for _, e := range c.Extents {
		if segments.Get(e.ID[:]) == nil {
			return errSegmentGone
		}
	}
	for _, e := range c.Extents {
		row, err := decodeSegment(segments.Get(e.ID[:]))
		if err != nil {
			return t.fail(err)
		}
		row.Refs++
		if err := t.put(segments, e.ID[:], row.encode()); err != nil {
			return err
		}
	}
	return nil
}

// release takes back one reference for every extent.
func (t *tx) release(c content) error {
	segments := t.Bucket(rootSegments)
	for _, e := range c.Extents {
		row, err := decodeSegment(segments.Get(e.ID[:]))
		if err != nil {
			return t.fail(err)
		}
		if row.Refs--; row.Refs > 0 {
			if err := t.put(segments, e.ID[:], row.encode()); err != nil {
				return err
			}
			continue
		}
		if err := t.delete(segments, e.ID[:]); err != nil {
			return err
		}
		if !row.Inline {
			t.dead = append(t.dead, e.ID)
		} else if err := t.delete(t.Bucket(rootInline), e.ID[:]); err != nil {
			return err
		}
	}
	return nil
}
