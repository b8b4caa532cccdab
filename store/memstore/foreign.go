package memstore

import (
	"slices"

	"github.com/latchfs/latchfs/store"
)

// What is here is for tests: what somebody else does to the bucket, and what is in it. It
// is not counted as requests.

// PutForeign writes an object as a tool does that has never heard of us: without a
// condition, and without metadata.
func (b *Bucket) PutForeign(key, body string) store.Info {
	return b.PutForeignProps(key, body, store.Props{}, "")
}

// PutForeignProps is PutForeign with properties and tags. It panics if S3 would refuse
// these.
func (b *Bucket) PutForeignProps(key, body string, p store.Props, tags string) store.Info {
	v, err := call{"Put", key}.newVersion(p, tags)
	if err != nil {
		panic(err)
	}
	v.fill([]byte(body))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.start(v)
	b.add(key, v)
	return b.info(key, v)
}

// DeleteForeign removes an object without a condition.
func (b *Bucket) DeleteForeign(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.delete(key)
}

// Destroy removes a version or a delete marker for good.
func (b *Bucket) Destroy(key, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remove(key, id)
}

// Suspend suspends versioning.
func (b *Bucket) Suspend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.versioning = suspended
}

// Retain sets the default rule of Object Lock.
func (b *Bucket) Retain(r store.Retention) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retention = r
}

// Lock locks a version.
func (b *Bucket) Lock(key, id string, l store.Lock) {
	b.mu.Lock()
	defer b.mu.Unlock()
	locked := *b.objects[key][b.index(key, id)]
	locked.lock = l
	b.objects[key][b.index(key, id)] = &locked
}

// Keys gives the keys of all objects, in order of their bytes.
func (b *Bucket) Keys() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(b.keys("", ""), func(k string) bool { return b.current(k) == nil })
}

// Content gives the bytes of the current object; ok is false if there is none.
func (b *Bucket) Content(key string) (body string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.current(key)
	if v == nil {
		return "", false
	}
	return string(v.body), true
}

// History gives the versions and delete markers of a key, oldest first as a listing orders
// them, with their properties.
func (b *Bucket) History(key string) []store.Version {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []store.Version
	for i, v := range b.objects[key] {
		e := listed(key, v, i == len(b.objects[key])-1)
		e.Info.Props = b.info(key, v).Props
		all = append(all, e)
	}
	return all
}

// OpenUploads tells how many multipart uploads are neither completed nor aborted.
func (b *Bucket) OpenUploads() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.uploads)
}
