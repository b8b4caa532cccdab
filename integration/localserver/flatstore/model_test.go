package flatstore

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3err"
)

// A modelVersion is what the model knows of a version.
type modelVersion struct {
	id, etag string
	begun    int // when, in the order of the bucket
	marker   bool
	body     []byte
	meta     string
}

type modelBucket struct {
	versioning types.BucketVersioningStatus
	keys       map[string][]modelVersion // newest first
	begun      int                       // versions and uploads so far
}

type modelUpload struct {
	bucket, key, id, meta string
	begun                 int
	parts                 map[int32][]byte
}

// A model does in memory what the store should do, one step after the other.
type model struct {
	t       *testing.T
	r       *rand.Rand
	dir     string
	s       *Store
	buckets map[string]*modelBucket
	uploads []*modelUpload
	big     []byte // what parts are cut from
}

const (
	modelSteps = 2500
	crashEvery = 250
)

// TestModel plays random steps against the store and the model, with crashes between
// them. A failure is repeated with LATCHFS_SEED.
func TestModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if v := os.Getenv("LATCHFS_SEED"); v != "" {
		var err error
		if seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("LATCHFS_SEED=%d", seed)
	m := &model{t: t, r: rand.New(rand.NewPCG(seed, 0)), dir: t.TempDir(), buckets: map[string]*modelBucket{}}
	m.big = make([]byte, 6<<20)
	for i := range m.big {
		m.big[i] = byte(m.r.Uint32())
	}
	m.open()
	for _, name := range []string{"plain", "versioned", "suspended"} {
		m.buckets[name] = &modelBucket{keys: map[string][]modelVersion{}}
		m.must(m.s.EnsureBucket(name, "owner", name == "versioned"))
	}
	m.buckets["versioned"].versioning = types.BucketVersioningStatusEnabled
	for step := range modelSteps {
		m.step()
		if t.Failed() {
			t.Fatalf("in step %d", step)
		}
		if step%crashEvery == crashEvery-1 {
			m.crash()
			m.check()
		}
	}
	m.must(m.s.Close())
}

func (m *model) open() {
	m.t.Helper()
	var err error
	m.s, err = Open(m.dir, slog.New(slog.DiscardHandler))
	m.must(err)
}

func (m *model) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// crash ends the store as a kill between two commits would, with a body that was staged
// and never committed, and opens it again.
func (m *model) crash() {
	m.t.Helper()
	_, err := m.s.files.stage(bytes.NewReader(m.big[:100<<10]))
	m.must(err)
	m.must(m.s.Close())
	m.open()
	faults, err := m.s.Fsck()
	m.must(err)
	for _, f := range faults {
		m.t.Errorf("fsck: %s", f)
	}
}

func (m *model) pick(names ...string) string { return names[m.r.IntN(len(names))] }

func (m *model) bucket() (string, *modelBucket) {
	name := m.pick("plain", "versioned", "versioned", "suspended")
	return name, m.buckets[name]
}

func (m *model) key() string {
	return m.pick("a", "a/", "a/b", "a/b/c", "a-b", "b", "b\x00", "b\x00\xff", "ü", "z/\xff", "z/\xffx")
}

func (m *model) body() []byte {
	n := []int{0, 1, 100, inlineMax, inlineMax + 1, 70_000}[m.r.IntN(6)]
	off := m.r.IntN(len(m.big) - n)
	return m.big[off : off+n]
}

func etagOf(b []byte) string {
	s := md5.Sum(b)
	return hex.EncodeToString(s[:])
}

func (b *modelBucket) current(key string) *modelVersion {
	if v := b.keys[key]; len(v) > 0 && !v[0].marker {
		return &v[0]
	}
	return nil
}

// begin gives a version or an upload its place in the order of time.
func (b *modelBucket) begin() int {
	b.begun++
	return b.begun
}

// add makes v the current version, as the versioning of the bucket says; one that was begun
// by an upload comes below all that are newer.
func (b *modelBucket) add(key string, v modelVersion) {
	if v.begun == 0 {
		v.begun = b.begin()
	}
	if b.versioning != types.BucketVersioningStatusEnabled {
		v.id = nullVersion
		b.keys[key] = slices.DeleteFunc(b.keys[key], func(o modelVersion) bool { return o.id == nullVersion })
	}
	i := 0
	for i < len(b.keys[key]) && b.keys[key][i].begun > v.begun {
		i++
	}
	b.keys[key] = slices.Insert(b.keys[key], i, v)
}

// A modelCondition is a condition and what it is expected to lead to.
func (m *model) condition(current *modelVersion) (match, noneMatch *string, refusal string) {
	switch m.r.IntN(6) {
	case 0:
		if current == nil {
			return nil, ptr("*"), ""
		}
		return nil, ptr("*"), "PreconditionFailed"
	case 1:
		if current == nil {
			return ptr(etagOf(nil)), nil, "NoSuchKey"
		}
		return ptr(current.etag), nil, ""
	case 2:
		if current == nil {
			return ptr("*"), nil, "NoSuchKey"
		}
		return ptr("00000000000000000000000000000000"), nil, "PreconditionFailed"
	}
	return nil, nil, ""
}

// errorCode is the S3 code of err, "" for nil.
func errorCode(err error) string {
	var e s3err.S3Error
	if errors.As(err, &e) {
		return e.BaseError().Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// expect checks how a step was answered.
func (m *model) expect(what string, err error, code string) (ok bool) {
	m.t.Helper()
	if got := errorCode(err); got != code {
		m.t.Errorf("%s: answered %q, expected %q", what, got, code)
	}
	return err == nil
}

// check holds everything that can be read against the model.
func (m *model) check() {
	m.t.Helper()
	for name, b := range m.buckets {
		m.checkObjects(name, b)
		m.checkVersions(name, b)
		for key, versions := range b.keys {
			for _, v := range versions {
				if !v.marker {
					m.checkContent(name, key, v)
				}
			}
		}
	}
}

func (m *model) checkContent(name, key string, v modelVersion) {
	m.t.Helper()
	o, err := m.s.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &name, Key: &key, VersionId: &v.id})
	if err != nil {
		m.t.Errorf("%s/%q@%s: %v", name, key, v.id, errorCode(err))
		return
	}
	defer o.Body.Close()
	got, err := io.ReadAll(o.Body)
	if err != nil || !bytes.Equal(got, v.body) || strings.Trim(*o.ETag, `"`) != v.etag || o.Metadata["m"] != v.meta {
		m.t.Errorf("%s/%q@%s: %d bytes, ETag %s, metadata %q, %v; expected %d, %s, %q",
			name, key, v.id, len(got), *o.ETag, o.Metadata["m"], err, len(v.body), v.etag, v.meta)
	}
}

// checkObjects pages through a listing with a random prefix, delimiter and page size.
func (m *model) checkObjects(name string, b *modelBucket) {
	m.t.Helper()
	w := walk{prefix: m.pick("", "", "a", "a/", "b", "z/\xff"), delimiter: m.pick("", "/", "\x00", "b")}
	var want []string
	for key := range b.keys {
		if b.current(key) == nil || !strings.HasPrefix(key, w.prefix) {
			continue
		}
		entry := key
		if c := w.common(key); c != "" {
			entry = c + " (prefix)"
		}
		if !slices.Contains(want, entry) {
			want = append(want, entry)
		}
	}
	sort.Strings(want)
	limit := int32(1 + m.r.IntN(4))
	var got []string
	var token *string
	for {
		p, err := m.s.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{
			Bucket: &name, Prefix: &w.prefix, Delimiter: &w.delimiter, MaxKeys: &limit, ContinuationToken: token})
		m.must(err)
		for _, o := range p.Contents {
			got = append(got, *o.Key)
		}
		for _, c := range p.CommonPrefixes {
			got = append(got, *c.Prefix+" (prefix)")
		}
		if token = p.NextContinuationToken; token == nil {
			break
		}
	}
	sort.Strings(got) // within a page, keys and prefixes are apart
	if !slices.Equal(got, want) {
		m.t.Errorf("list of %s, prefix %q, delimiter %q, pages of %d: %q, expected %q", name, w.prefix, w.delimiter, limit, got, want)
	}
}

// checkVersions pages through all versions, whose order must be exact.
func (m *model) checkVersions(name string, b *modelBucket) {
	m.t.Helper()
	var want []string
	keys := make([]string, 0, len(b.keys))
	for key := range b.keys {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		for i, v := range b.keys[key] {
			want = append(want, fmt.Sprintf("%q %s %v %v", key, v.id, v.marker, i == 0))
		}
	}
	p := &versionsPage{name: name, limit: 1 + m.r.IntN(4)}
	var got []string
	for {
		m.must(m.s.listVersions(p))
		for _, e := range p.entries {
			got = append(got, fmt.Sprintf("%q %s %v %v", e.key, e.id, e.Marker, e.latest))
		}
		if !p.truncated {
			break
		}
		p = &versionsPage{name: name, limit: p.limit, keyMarker: p.nextKey, idMarker: p.nextID}
	}
	if !slices.Equal(got, want) {
		m.t.Errorf("versions of %s in pages of %d:\n%s\nexpected:\n%s", name, p.limit, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
