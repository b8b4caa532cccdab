package storetest

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/latchfs/latchfs/store"
)

// An upload is a multipart upload with its parts in place.
type upload struct {
	*env
	key, id string
	parts   []store.Part
	size    int64
}

// minPart is the least size of a part that is not the last one.
const minPart = 5 << 20

func (e *env) upload(in store.CreateUploadRequest, parts ...string) *upload {
	e.Helper()
	u := &upload{env: e, key: in.Key}
	var err error
	u.id, err = e.CreateUpload(e.Context(), in)
	e.must(err)
	for _, content := range parts {
		e.must(u.add(content))
	}
	return u
}

// add uploads the next part.
func (u *upload) add(content string) error {
	p, err := u.UploadPart(u.Context(), store.PartRequest{Key: u.key, Upload: u.id, Number: int32(len(u.parts) + 1),
		Body: strings.NewReader(content), Size: int64(len(content)), CRC32C: checksum(content)})
	if err != nil {
		return err
	}
	u.parts = append(u.parts, p)
	u.size += int64(len(content))
	return nil
}

func (u *upload) request(cond store.Condition) store.CompleteRequest {
	return store.CompleteRequest{Key: u.key, Upload: u.id, Cond: cond, Parts: u.parts, Size: u.size}
}

func (u *upload) complete(cond store.Condition) (store.Info, error) {
	return u.CompleteUpload(u.Context(), u.request(cond))
}

// gone checks that the upload is no more.
func (u *upload) gone() {
	u.Helper()
	u.refused(u.add("late"), store.ErrNotFound)
	u.refused(u.AbortUpload(u.Context(), u.key, u.id), store.ErrNotFound)
}

func testUpload(e *env) {
	ctx, key := e.Context(), e.key("k")
	before := time.Now()
	first, second := bulk(minPart, 5), bulk(1000, 6)
	u := e.upload(store.CreateUploadRequest{Key: key}, first, second)
	for i, content := range []string{first, second} {
		if p := u.parts[i]; p.Number != int32(i+1) || p.ETag != etag(content) || p.CRC32C != checksum(content) {
			e.Errorf("part %+v", p)
		}
	}
	e.empty(key)
	made, err := u.complete(absent)
	e.must(err)
	got := e.identity(made, key)
	a, b := md5.Sum([]byte(first)), md5.Sum([]byte(second))
	if want := fmt.Sprintf("%x-2", md5.Sum(append(a[:], b[:]...))); got.ETag != want {
		e.Errorf("ETag %q, want %q", got.ETag, want)
	}
	if got.Size != u.size || got.LastModified.Sub(before).Abs() > 10*time.Minute {
		e.Errorf("size %d, LastModified %v", got.Size, got.LastModified)
	}
	e.holds(key, first+second)
	if _, part, err := e.get(store.GetRequest{Key: key, Range: &store.Range{Offset: minPart - 2, Length: 4}}); err != nil || part != first[minPart-2:]+second[:2] {
		e.Errorf("the seam of two parts: %q, %v", part, err)
	}
	// Completed again, as after a lost answer: nothing is published twice.
	again, err := u.complete(store.Condition{})
	if err != nil {
		e.refused(err, store.ErrNotFound)
		if failed, ok := errors.AsType[*store.AttemptError](err); !ok || failed.Code != "NoSuchUpload" {
			e.Errorf("completed again: %v", describe(err))
		}
	} else if again.VersionID != made.VersionID || again.ETag != made.ETag {
		e.Errorf("completed again: %+v, first %+v", again, made)
	}
	e.versions(key, 1)
	u.gone()

	u = e.upload(store.CreateUploadRequest{Key: key}, "third")
	e.must(e.AbortUpload(ctx, key, u.id))
	_, err = u.complete(over(made))
	e.refused(err, store.ErrNotFound)
	u.gone()
	e.holds(key, first+second)
}

func testUploadConditions(e *env) {
	key := e.key("k")
	in := store.CreateUploadRequest{Key: key}
	u := e.upload(in, "new")
	_, err := u.complete(stale)
	e.refused(err, store.ErrNotFound)
	e.empty(key)
	old := e.put(key, "old", absent) // after the upload began
	for _, cond := range []store.Condition{absent, stale} {
		u := e.upload(in, "new")
		_, err := u.complete(cond)
		e.refused(err, store.ErrPrecondition)
		e.holds(key, "old")
		e.versions(key, 1)
		// Whether an upload survives a 412 is not documented; after an abort it is gone.
		if err := e.AbortUpload(e.Context(), key, u.id); err != nil {
			e.refused(err, store.ErrNotFound)
		}
		u.gone()
	}
	made, err := e.upload(in, "new").complete(over(old))
	e.must(err)
	e.identity(made, key)
	e.holds(key, "new")
	e.versions(key, 2)
	e.must(e.Delete(e.Context(), store.DeleteRequest{Key: key}))
	_, err = e.upload(in, "newer").complete(over(made))
	e.refused(err, store.ErrNotFound)
	_, err = e.upload(in, "newer").complete(absent)
	e.must(err)
	e.holds(key, "newer")
}

// testUploadRefusals: an object that is not what was meant does not come into being.
func testUploadRefusals(e *env) {
	ctx, key := e.Context(), e.key("k")
	in := store.CreateUploadRequest{Key: key}
	big, more := bulk(minPart, 7), bulk(minPart+1, 9)
	for name, spoil := range map[string]func(*store.CompleteRequest){
		"size":         func(r *store.CompleteRequest) { r.Size++ },
		"no parts":     func(r *store.CompleteRequest) { r.Parts, r.Size = nil, 0 },
		"order":        func(r *store.CompleteRequest) { r.Parts = []store.Part{r.Parts[1], r.Parts[0]} },
		"missing part": func(r *store.CompleteRequest) { r.Parts[1].Number = 7 },
		"wrong part":   func(r *store.CompleteRequest) { r.Parts[1].ETag = r.Parts[0].ETag },
	} {
		u := e.upload(in, big, more)
		r := u.request(absent)
		spoil(&r)
		if _, err := e.CompleteUpload(ctx, r); err == nil {
			e.Errorf("%s: completed", name)
		} else {
			e.refused(err, store.ErrRefused)
		}
		e.empty(key)
		e.must(e.AbortUpload(ctx, key, u.id))
	}
	u := e.upload(in, "small", "end")
	_, err := u.complete(absent)
	e.refused(err, store.ErrRefused)
	e.empty(key)

	u = e.upload(in)
	part := store.PartRequest{Key: key, Upload: u.id, Number: 1, Size: int64(len(big)), CRC32C: checksum("other"), Body: strings.NewReader(big)}
	_, err = e.UploadPart(ctx, part)
	e.unsent(err)
	bad := errors.New("bad disk")
	part.Body, part.CRC32C = failing{bytes.NewReader([]byte(big[:minPart-1])), bad}, checksum(big)
	_, err = e.UploadPart(ctx, part)
	e.unsent(err)
	if !errors.Is(err, bad) {
		e.Errorf("the error %v does not tell why the body ended", err)
	}
	// Short, for a server may answer before it has read a body, and then not read it.
	part.Body, part.Size, part.CRC32C = strings.NewReader("x"), 1, checksum("x")
	for _, part.Number = range []int32{0, store.MaxParts + 1} {
		_, err = e.UploadPart(ctx, part)
		e.refused(err, store.ErrRefused)
	}
	part.Number, part.Key = 1, e.key("other")
	_, err = e.UploadPart(ctx, part)
	e.refused(err, store.ErrNotFound)
	// A part that comes again takes the place of the first.
	e.must(u.add(big))
	u.parts, u.size = nil, 0
	e.must(u.add("again"))
	_, err = u.complete(absent)
	e.must(err)
	e.holds(key, "again")
}

func testCopyPart(e *env) {
	ctx, key, from := e.Context(), e.key("k"), e.key("source é")
	content := bulk(minPart+100, 8)
	source := e.put(from, content, absent)
	u := e.upload(store.CreateUploadRequest{Key: key})
	in := store.CopyPartRequest{Key: key, Upload: u.id, Number: 1, Source: from, Version: source.VersionID,
		IfMatch: source.ETag, Range: store.Range{Offset: 100, Length: minPart}}
	if e.versioned { // what is pinned is copied though it is not current any more
		e.put(from, "newer", over(source))
	}
	add := func(size int64) {
		e.Helper()
		p, err := e.CopyPart(ctx, in)
		e.must(err)
		if p.Number != in.Number || p.ETag == "" {
			e.Errorf("part %+v", p)
		}
		u.parts = append(u.parts, p)
		u.size += size
	}
	add(minPart)
	in.Number, in.Range = 2, store.Range{Length: -1} // all of it
	add(minPart + 100)
	in.Number, in.Range = 3, store.Range{Offset: 1, Length: 5}
	add(5)
	bad := in
	bad.IfMatch = stale.IfMatch
	_, err := e.CopyPart(ctx, bad)
	e.refused(err, store.ErrPrecondition)
	bad = in
	bad.Source, bad.Version = e.key("missing"), ""
	_, err = e.CopyPart(ctx, bad)
	e.refused(err, store.ErrNotFound)
	bad = in
	bad.Upload = u.id[:len(u.id)-1] + "x"
	if _, err = e.CopyPart(ctx, bad); err == nil {
		e.Error("a part was added to an unknown upload")
	}
	bad = in
	bad.Version, bad.Range = "", store.Range{Offset: 1, Length: minPart + 100}
	if _, err = e.CopyPart(ctx, bad); err == nil {
		e.Error("a part was made of more than its source has")
	}
	made, err := u.complete(absent)
	e.must(err)
	e.identity(made, key)
	e.holds(key, content[100:]+content+content[1:6])
}
