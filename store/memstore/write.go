package memstore

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/latchfs/latchfs/store"
)

// Put implements store.API.
func (b *Bucket) Put(ctx context.Context, in store.PutRequest) (store.Info, error) {
	c, err := b.beginKey(ctx, "Put", in.Key)
	if err != nil {
		return store.Info{}, err
	}
	v, err := c.newVersion(in.Props, in.Tags)
	if err != nil {
		return store.Info{}, err
	}
	content, err := c.receive(ctx, in.Body, in.Size, in.CRC32C)
	if err != nil {
		return store.Info{}, err
	}
	v.fill(content)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.condition(c, store.PutConditions, in.Cond); err != nil {
		return store.Info{}, err
	}
	b.start(v)
	b.add(in.Key, v)
	return b.made(in.Key, v), nil
}

// receive reads the body of a request to its last byte.
func (c call) receive(ctx context.Context, from store.BodyReader, size int64, sum string) ([]byte, error) {
	content := make([]byte, size)
	if size > 0 {
		if _, err := from.Seek(0, io.SeekStart); err != nil {
			return nil, c.unsent("", fmt.Errorf("rewinding the body: %w", err))
		}
	}
	for piece := range slices.Chunk(content, 64<<10) {
		if err := c.alive(ctx); err != nil {
			return nil, err
		}
		_, err := io.ReadFull(from, piece)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, c.unsent("IncompleteBody", fmt.Errorf("the body is shorter than announced: %w", io.ErrUnexpectedEOF))
		}
		if err != nil {
			return nil, c.unsent("", fmt.Errorf("reading the body: %w", err))
		}
	}
	if got := checksum(content); sum != "" && sum != got {
		return nil, c.unsent("BadDigest", fmt.Errorf("the body has CRC32C %s, announced was %s", got, sum))
	}
	return content, nil
}

// checksum is the CRC32C of the bytes as the header x-amz-checksum-crc32c has it.
func checksum(p []byte) string {
	sum := crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// Copy implements store.API.
func (b *Bucket) Copy(ctx context.Context, in store.CopyRequest) (store.Info, error) {
	c, err := b.beginKey(ctx, "Copy", in.Key)
	if err != nil {
		return store.Info{}, err
	}
	v, err := c.newVersion(in.Props, in.Tags)
	if err != nil {
		return store.Info{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	from, err := b.source(c, in.Source, in.Version, b.sourceMatch(store.CopyConditions, in.IfMatch))
	if err != nil {
		return store.Info{}, err
	}
	if err := b.condition(c, store.CopyConditions, in.Cond); err != nil {
		return store.Info{}, err
	}
	v.fill(from.body)
	b.start(v)
	b.add(in.Key, v)
	made := b.made(in.Key, v)
	made.LastModified = v.modified // CopyObjectResult has it
	return made, nil
}

// Delete implements store.API. Without a condition it succeeds on a missing key too, and
// leaves a delete marker even there where versioning is on, as S3 does.
func (b *Bucket) Delete(ctx context.Context, in store.DeleteRequest) error {
	c, err := b.beginKey(ctx, "Delete", in.Key)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.condition(c, store.DeleteConditions, store.Condition{IfMatch: in.IfMatch}); err != nil {
		return err
	}
	b.delete(in.Key)
	return nil
}

// DeleteVersion implements store.API.
func (b *Bucket) DeleteVersion(ctx context.Context, key, version string) error {
	c, err := b.beginKey(ctx, "DeleteVersion", key)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.index(key, version)
	if i >= 0 && !b.objects[key][i].deleted && (b.retention != (store.Retention{}) || b.objects[key][i].lock.Keeps(b.now())) {
		return c.refused("ObjectLocked")
	}
	b.remove(key, version)
	return nil
}

// delete removes what is current. b.mu is held.
func (b *Bucket) delete(key string) {
	if b.versioning == never {
		b.remove(key, nullID)
		return
	}
	v := &version{deleted: true}
	b.start(v)
	b.add(key, v)
}
