package flatstore

import (
	"context"
	"maps"
)

func (s *Store) GetObjectTagging(_ context.Context, name, key, id string) (tags map[string]string, err error) {
	err = s.viewBucket(name, func(b *bucket) error {
		v, err := b.read(key, id)
		if err != nil {
			return err
		}
		tags = maps.Clone(v.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		return nil
	})
	return tags, err
}

// PutObjectTagging changes the tags of a version in place: neither ETag nor
// Last-Modified change, and no version is made, as with S3.
func (s *Store) PutObjectTagging(_ context.Context, name, key, id string, tags map[string]string) error {
	return s.updateBucket(name, false, func(b *bucket) error {
		v, err := b.read(key, id)
		if err != nil {
			return err
		}
		v.Tags = tags
		return b.save(key, v)
	})
}

func (s *Store) DeleteObjectTagging(ctx context.Context, name, key, id string) error {
	return s.PutObjectTagging(ctx, name, key, id, nil)
}
