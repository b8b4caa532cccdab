package flatstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
)

// Fsck checks that the index agrees with itself and with the content files, and gives
// what does not. The store must be idle.
func (s *Store) Fsck() (faults []string, err error) {
	err = s.db.View(func(b *bolt.Tx) error {
		t := &tx{Tx: b}
		c := &checker{t: t, refs: map[segmentID]uint64{}, longest: map[segmentID]int64{}}
		for name := range each(t.Bucket(rootBuckets), nil) {
			c.bucket(string(name))
		}
		c.segments(s.files)
		c.inline()
		c.files(s.files)
		faults = c.faults
		return nil
	})
	return faults, err
}

type checker struct {
	t       *tx
	refs    map[segmentID]uint64 // as counted
	longest map[segmentID]int64  // end of the furthest extent
	faults  []string
}

func (c *checker) fault(format string, a ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, a...))
}

func (c *checker) bucket(name string) {
	b, err := c.t.bucket(name)
	if err != nil {
		c.fault("bucket %s: %v", name, err)
		return
	}
	var last []byte // the row key before
	nulls := 0      // of the key so far
	for k, v := range each(b.versions(), nil) {
		row, err := decodeVersion(k, v)
		if err != nil {
			c.fault("bucket %s: row %q: %v", name, k, err)
			continue
		}
		key, seq := splitRowKey(k)
		if !bytes.Equal(rowKey(key, seq), k) {
			c.fault("bucket %s: the row key %q is not that of key %q and sequence %d", name, k, key, seq)
		}
		if seq == 0 || seq > b.versions().Sequence() {
			c.fault("%s/%s: sequence %d was never given", name, key, seq)
		}
		if !bytes.HasPrefix(last, keyStart(key)) {
			nulls = 0
		} else if b.config.Versioning == "" {
			c.fault("%s/%s: more than one version without versioning", name, key)
		}
		if row.ID == nullVersion {
			nulls++
		} else if of, ok := parseVersionID(row.ID); !ok || of != seq {
			c.fault("%s/%s: the version id %s does not carry the sequence %d", name, key, row.ID, seq)
		}
		if nulls > 1 {
			c.fault("%s/%s: more than one null version", name, key)
		}
		if row.Marker && (row.Size != 0 || row.Content.Extents != nil) {
			c.fault("%s/%s: a marker with content", name, key)
		}
		c.content(name+"/"+key, row.Size, row.Content)
		last = append(last[:0], k...)
	}
	c.uploads(b)
}

func (c *checker) uploads(b *bucket) {
	for k, v := range each(b.uploads(), nil) {
		u := &upload{}
		if _, err := decodeRow(v, u); err != nil {
			c.fault("bucket %s: upload %s: %v", b.name, k, err)
		} else if u.Seq > b.versions().Sequence() {
			c.fault("bucket %s: upload %s has the sequence %d, which was never given", b.name, k, u.Seq)
		}
	}
	for k := range each(b.parts(), nil) {
		id, number, ok := splitPartKey(k)
		if !ok {
			c.fault("bucket %s: part key %q", b.name, k)
			continue
		}
		if b.uploads().Get([]byte(id)) == nil {
			c.fault("bucket %s: part %d of no upload %s", b.name, number, id)
		}
		p, err := b.part(id, number)
		if err != nil {
			c.fault("bucket %s: part %d of upload %s: %v", b.name, number, id, err)
			continue
		}
		c.content(fmt.Sprintf("upload %s part %d", id, number), p.Size, p.Content)
	}
}

func splitPartKey(k []byte) (id string, number int, ok bool) {
	if len(k) < 6 || k[len(k)-5] != '/' {
		return "", 0, false
	}
	return string(k[:len(k)-5]), int(binary.BigEndian.Uint32(k[len(k)-4:])), true
}

func (c *checker) content(what string, size int64, have content) {
	if have.size() != size {
		c.fault("%s: size %d, content of %d", what, size, have.size())
	}
	if have.Parts != nil {
		var sum int64
		for _, n := range have.Parts {
			sum += n
		}
		if sum != size {
			c.fault("%s: size %d, parts of %d", what, size, sum)
		}
	}
	for _, e := range have.Extents {
		c.refs[e.ID]++
		c.longest[e.ID] = max(c.longest[e.ID], e.Off+e.Len)
		if e.Off < 0 || e.Len <= 0 {
			c.fault("%s: extent of %d at %d", what, e.Len, e.Off)
		}
	}
}

// segments holds the reference counts against what was counted.
func (c *checker) segments(f *files) {
	seen := 0
	for k, v := range each(c.t.Bucket(rootSegments), nil) {
		id := segmentID(k)
		row, err := decodeSegment(v)
		if err != nil {
			c.fault("segment %x: %v", k, err)
			continue
		}
		if row.Refs != c.refs[id] {
			c.fault("segment %x: %d references, counted %d", k, row.Refs, c.refs[id])
		}
		if c.refs[id] > 0 {
			seen++
		}
		have := int64(len(c.t.Bucket(rootInline).Get(k)))
		if !row.Inline {
			i, err := os.Stat(f.path(id))
			if err != nil {
				c.fault("segment %x: %v", k, err)
				continue
			}
			have = i.Size()
		}
		if have < c.longest[id] {
			c.fault("segment %x: %d bytes, %d are referred to", k, have, c.longest[id])
		}
	}
	if seen != len(c.refs) {
		c.fault("%d segments are referred to and not there", len(c.refs)-seen)
	}
}

func (c *checker) inline() {
	for k := range each(c.t.Bucket(rootInline), nil) {
		if c.t.Bucket(rootSegments).Get(k) == nil {
			c.fault("inline content %x of no segment", k)
		}
	}
}

func (c *checker) files(f *files) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		c.fault("%v", err)
		return
	}
	for _, e := range entries {
		id, ok := parseSegmentID(e.Name())
		if !ok || c.t.Bucket(rootSegments).Get(id[:]) == nil {
			c.fault("orphan file %s", e.Name())
		}
	}
}
