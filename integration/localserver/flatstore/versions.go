package flatstore

import (
	"bytes"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3err"
)

// current gives the newest version of key, which may be a marker; nil if there is none.
func (b *bucket) current(key string) (*version, error) {
	start := keyStart(key)
	k, v := b.versions().Cursor().Seek(start)
	if !bytes.HasPrefix(k, start) {
		return nil, nil
	}
	return decodeVersion(k, v)
}

func decodeVersion(k, v []byte) (*version, error) {
	row := &version{}
	tail, err := decodeRow(v, row)
	if err != nil {
		return nil, err
	}
	_, row.Seq = splitRowKey(k)
	row.Content, err = decodeContent(tail)
	return row, err
}

// find gives the version of key with that id; nil if there is none.
func (b *bucket) find(key, id string) (*version, error) {
	if id == nullVersion {
		return b.null(key)
	}
	seq, ok := parseVersionID(id)
	if !ok {
		return nil, s3err.GetInvalidArgumentErr(s3err.InvalidArgVersionId, id)
	}
	k := rowKey(key, seq)
	v := b.versions().Get(k)
	if v == nil {
		return nil, nil
	}
	row, err := decodeVersion(k, v)
	if err != nil || row.ID != id {
		return nil, err
	}
	return row, nil
}

// null gives the version of key that was written without versioning: at most one.
func (b *bucket) null(key string) (*version, error) {
	start := keyStart(key)
	c := b.versions().Cursor()
	for k, v := c.Seek(start); bytes.HasPrefix(k, start); k, v = c.Next() {
		row, err := decodeVersion(k, v)
		if err != nil || row.ID == nullVersion {
			return row, err
		}
	}
	return nil, nil
}

// read finds what a GET of that key and id is about. A marker is given beside the error.
func (b *bucket) read(key, id string) (*version, error) {
	if id == "" {
		v, err := b.current(key)
		if err == nil && !v.live() {
			err = s3err.GetAPIError(s3err.ErrNoSuchKey)
		}
		return v, err
	}
	v, err := b.find(key, id)
	switch {
	case err != nil:
	case v == nil:
		err = s3err.GetNoSuchVersionErr(key, id)
	case v.Marker:
		err = s3err.GetAPIError(s3err.ErrMethodNotAllowed)
	}
	return v, err
}

// nextSeq gives the sequence number of a version that begins to be.
func (b *bucket) nextSeq() (uint64, error) {
	seq, err := b.versions().NextSequence()
	b.t.writes++
	return seq, b.t.fail(err)
}

// add makes v the current version of key, replacing what the bucket's versioning says
// it replaces. It sets sequence, id and time of v.
func (b *bucket) add(key string, v *version) error {
	seq, err := b.nextSeq()
	if err != nil {
		return err
	}
	v.Seq, v.Modified = seq, time.Now().UTC()
	return b.insert(key, v)
}

// insert is add for a version that has sequence and time: one that is newer stays the
// current one.
func (b *bucket) insert(key string, v *version) error {
	if b.config.Versioning == types.BucketVersioningStatusEnabled {
		v.ID = newVersionID(v.Seq)
	} else {
		v.ID = nullVersion
		old, err := b.null(key)
		if err != nil {
			return b.t.fail(err)
		}
		if old != nil {
			if err := b.remove(key, old); err != nil {
				return err
			}
		}
	}
	return b.save(key, v)
}

// save writes the row of v.
func (b *bucket) save(key string, v *version) error {
	row, err := encodeRow(v, v.Content.encode())
	if err != nil {
		return b.t.fail(err)
	}
	return b.t.put(b.versions(), rowKey(key, v.Seq), row)
}

// remove deletes the row of v and lets go of its content.
func (b *bucket) remove(key string, v *version) error {
	if err := b.t.delete(b.versions(), rowKey(key, v.Seq)); err != nil {
		return err
	}
	return b.t.release(v.Content)
}

// shownID is the version id that answers carry: none where versioning never was on.
func (b *bucket) shownID(v *version) string {
	if b.config.Versioning == "" {
		return ""
	}
	return v.ID
}
