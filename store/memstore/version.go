package memstore

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/latchfs/latchfs/store"
)

// nullID is the version id of what was written while versioning was not on.
const nullID = "null"

// A version is one version of a name; it does not change once it is in a bucket.
type version struct {
	id       string
	place    int  // among the versions of the bucket, in the order of time
	deleted  bool // a delete marker: only id, place and modified are set
	body     []byte
	etag     string
	modified time.Time
	props    store.Props // with TagCount
	tags     string
	lock     store.Lock
}

// newVersion makes a version of what a request says besides the bytes.
func (c call) newVersion(p store.Props, tags string) (*version, error) {
	size := 0
	meta := make(map[string]string, len(p.Meta))
	for name, value := range p.Meta {
		size += len(name) + len(value)
		meta[strings.ToLower(name)] = value
	}
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
	if size > 2<<10 {
		return nil, c.refused("MetadataTooLarge")
	}
	set, err := url.ParseQuery(tags)
	if err != nil || len(set) > 10 {
		return nil, c.refused("InvalidTag")
	}
	for _, values := range set {
		if len(values) != 1 {
			return nil, c.refused("InvalidTag")
		}
	}
	p.Meta, p.TagCount = meta, len(set)
	if p.ContentType == "" {
		p.ContentType = "binary/octet-stream"
	}
	if p.StorageClass == "STANDARD" {
		p.StorageClass = ""
	}
	return &version{props: p, tags: set.Encode()}, nil
}

// fill sets the bytes of a version that is uploaded in one piece.
func (v *version) fill(body []byte) {
	sum := md5.Sum(body)
	v.body, v.etag = body, hex.EncodeToString(sum[:])
}

// archived tells whether the bytes cannot be read.
func (v *version) archived() bool {
	return v.props.StorageClass == "GLACIER" || v.props.StorageClass == "DEEP_ARCHIVE"
}

// What follows is called with b.mu held.

// current is the object under a name, nil if there is none.
func (b *Bucket) current(key string) *version {
	all := b.objects[key]
	if len(all) == 0 || all[len(all)-1].deleted {
		return nil
	}
	return all[len(all)-1]
}

// find is a version of a key, the current one for "".
func (b *Bucket) find(c call, key, id string) (*version, error) {
	if id == "" {
		if v := b.current(key); v != nil {
			return v, nil
		}
		return nil, c.refused("NoSuchKey")
	}
	i := b.index(key, id)
	if i < 0 {
		return nil, c.refused("NoSuchVersion")
	}
	v := b.objects[key][i]
	if v.deleted {
		return nil, c.refused("MethodNotAllowed")
	}
	return v, nil
}

func (b *Bucket) index(key, id string) int {
	return slices.IndexFunc(b.objects[key], func(v *version) bool { return v.id == id })
}

// judge holds a precondition against what is there.
func (b *Bucket) judge(c call, cond store.Condition) error {
	old := b.current(c.key)
	switch {
	case cond.IfNone && cond.IfMatch != "":
		return c.refused("NotImplemented")
	case cond.IfNone && old != nil:
		return c.refused("PreconditionFailed")
	case cond.IfMatch != "" && old == nil:
		return c.refused("NoSuchKey")
	case cond.IfMatch != "" && old.etag != cond.IfMatch:
		return c.refused("PreconditionFailed")
	}
	return nil
}

// start begins a version: it gets its time, and its place above all that were begun before.
func (b *Bucket) start(v *version) {
	b.last++
	v.place, v.modified = b.last, b.seconds()
}

// add puts a version that was begun into the history of a key. Where versioning is not on
// it replaces the one that is "null", wherever that stands.
func (b *Bucket) add(key string, v *version) {
	if b.versioning == on {
		v.id = rand.Text()
	} else {
		v.id = nullID
		b.remove(key, nullID)
	}
	all := b.objects[key]
	i := len(all)
	for i > 0 && all[i-1].place > v.place {
		i--
	}
	b.objects[key] = slices.Insert(all, i, v)
}

// remove takes a version out of the history.
func (b *Bucket) remove(key, id string) {
	if i := b.index(key, id); i >= 0 {
		b.objects[key] = slices.Concat(b.objects[key][:i], b.objects[key][i+1:])
	}
	if len(b.objects[key]) == 0 {
		delete(b.objects, key)
	}
}

// made is what the answer to a write says.
func (b *Bucket) made(key string, v *version) store.Info {
	return store.Info{Key: key, ETag: v.etag, VersionID: b.shown(v.id)}
}

// info is what the answer to HEAD says.
func (b *Bucket) info(key string, v *version) store.Info {
	i := b.made(key, v)
	i.Size, i.LastModified, i.Props, i.Lock = int64(len(v.body)), v.modified, v.props, v.lock
	i.Props.Meta = maps.Clone(v.props.Meta)
	return i
}

// shown is a version id as headers give it: not at all before versioning was ever on.
func (b *Bucket) shown(id string) string {
	if b.versioning == never {
		return ""
	}
	return id
}
