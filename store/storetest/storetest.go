// Package storetest is the conformance suite of store.API: what package store relies on,
// checked on the fake and on every real server alike.
package storetest

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/store"
)

// Options say what a server is known to lack, so that all else is checked.
type Options struct {
	// Forgets removes from properties what the server takes without an error and does not
	// keep; nil if it keeps everything.
	Forgets func(*store.Props)
}

// Run checks a kind of store. fresh returns one whose bucket does not exist yet.
func Run(t *testing.T, fresh func(t *testing.T) store.API, o Options) {
	if o.Forgets == nil {
		o.Forgets = func(*store.Props) {}
	}
	t.Run("bucket", func(t *testing.T) { testBucket(&env{T: t, API: fresh(t), Options: o}) })
	t.Run("unversioned", func(t *testing.T) { run(t, fresh, o, false) })
	t.Run("versioned", func(t *testing.T) { run(t, fresh, o, true) })
}

func run(t *testing.T, fresh func(t *testing.T) store.API, o Options, versioned bool) {
	api := fresh(t)
	if err := api.CreateBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	if versioned {
		if err := api.EnableVersioning(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name string
		run  func(e *env)
	}{
		{"put", testPut}, {"put conditions", testPutConditions}, {"put body", testPutBody}, {"deadline", testDeadline},
		{"get", testGet}, {"range", testRange}, {"versions of a key", testOldVersions},
		{"props of put", testPropsPut}, {"props of copy", testPropsCopy}, {"props of upload", testPropsUpload},
		{"metadata limit", testMetaLimit}, {"tags", testTags},
		{"copy", testCopy}, {"copy conditions", testCopyConditions}, {"copy onto itself", testCopySelf},
		{"delete", testDelete}, {"delete marker", testDeleteMarker}, {"delete version", testDeleteVersion},
		{"upload", testUpload}, {"upload conditions", testUploadConditions}, {"upload refusals", testUploadRefusals},
		{"upload order", testUploadOrder}, {"upload under a marker", testUploadUnderMarker},
		{"upload by copies", testCopyPart}, {"list uploads", testListUploads},
		{"racing puts", testRacingPuts}, {"racing completes", testRacingCompletes}, {"racing copies", testRacingCopies},
		{"put races delete", testPutRacesDelete},
		{"list", testList}, {"list pages", testListPages}, {"long list", testLongList},
		{"list versions", testListVersions}, {"list versions pages", testVersionPages},
		{"odd keys", testOddKeys}, {"key limit", testKeyLimit},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The tests share a bucket; each has a prefix of its own.
			tt.run(&env{T: t, API: api, Options: o, versioned: versioned, prefix: strings.ReplaceAll(tt.name, " ", "-") + "/"})
		})
	}
}

// An env is what a test works with.
type env struct {
	*testing.T
	store.API
	Options
	versioned bool
	prefix    string
}

// key gives a key of this test.
func (e *env) key(name string) string { return e.prefix + name }

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// absent and over are the conditions of a write.
var absent = store.Condition{IfNone: true}

func over(i store.Info) store.Condition { return store.Condition{IfMatch: i.ETag} }

// stale is a condition that never holds.
var stale = store.Condition{IfMatch: "00000000000000000000000000000000"}

// putRequest is the plain form of a Put.
func putRequest(key, content string, cond store.Condition) store.PutRequest {
	return store.PutRequest{Key: key, Cond: cond, Body: strings.NewReader(content), Size: int64(len(content)), CRC32C: checksum(content)}
}

// put writes an object, and fails the test if that does.
func (e *env) put(key, content string, cond store.Condition) store.Info {
	e.Helper()
	info, err := e.Put(e.Context(), putRequest(key, content, cond))
	e.must(err)
	return info
}

func (e *env) head(key string) store.Info {
	e.Helper()
	info, err := e.Head(e.Context(), store.HeadRequest{Key: key})
	e.must(err)
	return info
}

func (e *env) get(in store.GetRequest) (store.Info, string, error) {
	e.Helper()
	o, err := e.Get(e.Context(), in)
	if err != nil {
		return store.Info{}, "", err
	}
	content, err := io.ReadAll(o.Body)
	e.must(err)
	e.must(o.Body.Close())
	return o.Info, string(content), nil
}

// holds checks the current content of a key.
func (e *env) holds(key, want string) {
	e.Helper()
	_, got, err := e.get(store.GetRequest{Key: key})
	e.must(err)
	if got != want {
		e.Errorf("%q holds %q, want %q", key, short(got), short(want))
	}
}

// empty checks that nothing is under a key.
func (e *env) empty(key string) {
	e.Helper()
	_, err := e.Head(e.Context(), store.HeadRequest{Key: key})
	e.refused(err, store.ErrNotFound)
}

// refused checks that an attempt had no effect for that reason, which resending would not
// change.
func (e *env) refused(err, want error) {
	e.Helper()
	failed, ok := errors.AsType[*store.AttemptError](err)
	if !ok || failed.Fate != store.Refused || !errors.Is(err, want) {
		e.Errorf("error %v, want one that is refused because %q", describe(err), want)
	}
}

// unsent checks that an attempt had no effect and that it may be sent again.
func (e *env) unsent(err error) {
	e.Helper()
	if failed, ok := errors.AsType[*store.AttemptError](err); !ok || failed.Fate != store.Unsent {
		e.Errorf("error %v, want one that is unsent", describe(err))
	}
}

func describe(err error) string {
	if failed, ok := errors.AsType[*store.AttemptError](err); ok {
		return err.Error() + " [" + failed.Fate.String() + " " + failed.Code + "]"
	}
	if err == nil {
		return "none"
	}
	return err.Error() + " [no AttemptError]"
}

// identity checks what a write answered against what is there.
func (e *env) identity(made store.Info, key string) store.Info {
	e.Helper()
	got := e.head(key)
	if made.Key != key || made.ETag != got.ETag || made.VersionID != got.VersionID || got.Key != key {
		e.Errorf("the write answered %q %q %q, HEAD %q %q %q", made.Key, made.ETag, made.VersionID, got.Key, got.ETag, got.VersionID)
	}
	if got.ETag == "" || strings.Contains(got.ETag, `"`) {
		e.Errorf("ETag %q", got.ETag)
	}
	if (got.VersionID != "") != e.versioned {
		e.Errorf("version id %q in a bucket where versioning is %v", got.VersionID, e.versioned)
	}
	if !made.LastModified.IsZero() && !made.LastModified.Equal(got.LastModified) {
		e.Errorf("LastModified %v, in HEAD %v", made.LastModified, got.LastModified)
	}
	return got
}

// history lists the versions of a key, newest first.
func (e *env) history(key string) []store.Version {
	e.Helper()
	page, err := e.ListVersions(e.Context(), store.VersionOptions{Prefix: key})
	e.must(err)
	var found []store.Version
	for _, v := range page.Versions {
		if v.Info.Key == key {
			found = append(found, v)
		}
	}
	return found
}

// versions checks how many versions, delete markers included, a key has. Without
// versioning that is one or none.
func (e *env) versions(key string, want int) {
	e.Helper()
	if !e.versioned {
		want = min(want, 1)
	}
	if got := len(e.history(key)); got != want {
		e.Errorf("%q has %d versions, want %d", key, got, want)
	}
}

func etag(content string) string {
	sum := md5.Sum([]byte(content))
	return hex.EncodeToString(sum[:])
}

// checksum is the CRC32C of content in the form of x-amz-checksum-crc32c.
func checksum(content string) string {
	sum := crc32.Checksum([]byte(content), crc32.MakeTable(crc32.Castagnoli))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// bulk is content that does not repeat in the pieces that tests cut it into.
func bulk(size int, seed byte) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8) ^ byte(i>>16) ^ seed
	}
	return string(b)
}

func short(s string) string {
	if len(s) <= 60 {
		return s
	}
	return s[:30] + "..." + s[len(s)-30:]
}

// A failing reader fails after its content.
type failing struct {
	*bytes.Reader
	err error
}

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = f.err
	}
	return n, err
}
