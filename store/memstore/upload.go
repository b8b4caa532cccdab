package memstore

import (
	"cmp"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/latchfs/latchfs/store"
)

// minPart is the least size of a part that is not the last, in bytes.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const minPart = 5 << 20

// An upload is a multipart upload under way.
type upload struct {
	key    string
	object *version // what it will be, without bytes
	parts  map[int32]part
}

type part struct {
	body      []byte
	etag, crc string
}

// CreateUpload implements store.API.
func (b *Bucket) CreateUpload(ctx context.Context, in store.CreateUploadRequest) (string, error) {
	c, err := b.beginKey(ctx, "CreateUpload", in.Key)
	if err != nil {
		return "", err
	}
	v, err := c.newVersion(in.Props, in.Tags)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	id := rand.Text()
	b.start(v)
	b.uploads[id] = &upload{key: in.Key, object: v, parts: map[int32]part{}}
	return id, nil
}

// upload gives one that is under way. b.mu is held.
func (b *Bucket) upload(c call, id string) (*upload, error) {
	if u := b.uploads[id]; u != nil && u.key == c.key {
		return u, nil
	}
	return nil, c.refused("NoSuchUpload")
}

// put adds a part to an upload, in place of one with the same number. b.mu is held.
func (b *Bucket) put(c call, id string, number int32, body []byte) (store.Part, error) {
	u, err := b.upload(c, id)
	if err != nil {
		return store.Part{}, err
	}
	if number < 1 || number > store.MaxParts {
		return store.Part{}, c.refused("InvalidArgument")
	}
	sum := md5.Sum(body)
	p := part{body: body, etag: hex.EncodeToString(sum[:]), crc: checksum(body)}
	u.parts[number] = p
	return store.Part{Number: number, ETag: p.etag, CRC32C: p.crc}, nil
}

// UploadPart implements store.API.
func (b *Bucket) UploadPart(ctx context.Context, in store.PartRequest) (store.Part, error) {
	c, err := b.beginKey(ctx, "UploadPart", in.Key)
	if err != nil {
		return store.Part{}, err
	}
	content, err := c.receive(ctx, in.Body, in.Size, in.CRC32C)
	if err != nil {
		return store.Part{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.put(c, in.Upload, in.Number, content)
}

// CopyPart implements store.API. The range has to lie inside the source.
func (b *Bucket) CopyPart(ctx context.Context, in store.CopyPartRequest) (store.Part, error) {
	c, err := b.beginKey(ctx, "CopyPart", in.Key)
	if err != nil {
		return store.Part{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	v, err := b.source(c, in.Source, in.Version, b.sourceMatch(store.PartSource, in.IfMatch))
	if err != nil {
		return store.Part{}, err
	}
	content, err := c.cut(v.body, in.Range)
	if err != nil {
		return store.Part{}, err
	}
	if in.Range.Length != int64(len(content)) && in.Range != (store.Range{Length: -1}) {
		return store.Part{}, c.refused("InvalidArgument")
	}
	return b.put(c, in.Upload, in.Number, content)
}

// CompleteUpload implements store.API. Its condition is about what is current now, above
// which the new version need not come to lie. If it fails the upload stays.
func (b *Bucket) CompleteUpload(ctx context.Context, in store.CompleteRequest) (store.Info, error) {
	c, err := b.beginKey(ctx, "CompleteUpload", in.Key)
	if err != nil {
		return store.Info{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	u, err := b.upload(c, in.Upload)
	if err != nil {
		return store.Info{}, err
	}
	body, etag, err := u.join(c, in.Parts)
	if err != nil {
		return store.Info{}, err
	}
	if int64(len(body)) != in.Size {
		return store.Info{}, c.refused("InvalidRequest")
	}
	if err := b.condition(c, store.CompleteConditions, in.Cond); err != nil {
		return store.Info{}, err
	}
	v := u.object
	v.body, v.etag = body, etag
	b.add(in.Key, v)
	delete(b.uploads, in.Upload)
	return b.made(in.Key, v), nil
}

// join makes the object of the parts, and its ETag, which is no MD5 of its bytes.
func (u *upload) join(c call, parts []store.Part) (body []byte, etag string, err error) {
	if len(parts) == 0 {
		return nil, "", c.refused("MalformedXML")
	}
	var sums []byte
	for i, want := range parts {
		p, ok := u.parts[want.Number]
		switch {
		case i > 0 && want.Number <= parts[i-1].Number:
			return nil, "", c.refused("InvalidPartOrder")
		case !ok || want.ETag != p.etag || want.CRC32C != "" && want.CRC32C != p.crc:
			return nil, "", c.refused("InvalidPart")
		case i < len(parts)-1 && len(p.body) < minPart:
			return nil, "", c.refused("EntityTooSmall")
		}
		sum := md5.Sum(p.body)
		sums = append(sums, sum[:]...)
		body = append(body, p.body...)
	}
	return body, fmt.Sprintf("%x-%d", md5.Sum(sums), len(parts)), nil
}

// AbortUpload implements store.API.
func (b *Bucket) AbortUpload(ctx context.Context, key, id string) error {
	c, err := b.beginKey(ctx, "AbortUpload", key)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.upload(c, id); err != nil {
		return err
	}
	delete(b.uploads, id)
	b.spoil(key)
	return nil
}

// ListUploads implements store.API: by key, those of one key in the order in which they were begun.
func (b *Bucket) ListUploads(ctx context.Context, o store.UploadOptions) (store.UploadPage, error) {
	var page store.UploadPage
	if _, err := b.begin(ctx, "ListUploads", ""); err != nil {
		return page, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := slices.SortedFunc(maps.Keys(b.uploads), func(x, y string) int {
		return cmp.Or(cmp.Compare(b.uploads[x].key, b.uploads[y].key), cmp.Compare(b.uploads[x].object.place, b.uploads[y].object.place))
	})
	marked := o.UploadMarker == "" // what comes after the marker is shown
	for _, id := range ids {
		u := b.uploads[id]
		after := u.key > o.KeyMarker || u.key == o.KeyMarker && o.UploadMarker != "" && marked
		marked = marked || id == o.UploadMarker
		if !after || !strings.HasPrefix(u.key, o.Prefix) {
			continue
		}
		if n := len(page.Uploads); n == limit(o.Max) {
			page.NextKey, page.NextUpload = page.Uploads[n-1].Key, page.Uploads[n-1].ID
			break
		}
		page.Uploads = append(page.Uploads, store.Upload{Key: u.key, ID: id, Begun: u.object.modified, AsOurs: true})
	}
	return page, nil
}
