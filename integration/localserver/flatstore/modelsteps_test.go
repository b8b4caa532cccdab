package flatstore

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3response"
)

// step plays one random step.
func (m *model) step() {
	switch n := m.r.IntN(100); {
	case n < 35:
		m.put()
	case n < 50:
		m.copy()
	case n < 65:
		m.delete()
	case n < 75:
		m.deleteVersion()
	case n < 80:
		m.create()
	case n < 86:
		m.uploadPart()
	case n < 90:
		m.complete()
	case n < 92:
		m.abort()
	case n < 94:
		m.toggle()
	default:
		m.read()
	}
}

func (m *model) put() {
	name, b := m.bucket()
	key, body, meta := m.key(), m.body(), fmt.Sprint(m.r.Uint32())
	match, noneMatch, refusal := m.condition(b.current(key))
	out, err := m.s.PutObject(context.Background(), s3response.PutObjectInput{
		Bucket: &name, Key: &key, Body: bytes.NewReader(body), ContentLength: ptr(int64(len(body))),
		IfMatch: match, IfNoneMatch: noneMatch, Metadata: map[string]string{"m": meta}})
	if m.expect(fmt.Sprintf("put %s/%q", name, key), err, refusal) {
		b.add(key, modelVersion{id: out.VersionID, etag: etagOf(body), body: body, meta: meta})
	}
}

func (m *model) copy() {
	from, src := m.bucket()
	name, b := m.bucket()
	key, srcKey := m.key(), m.key()
	header := url.QueryEscape(from) + "/" + url.QueryEscape(srcKey)
	var v *modelVersion
	code := "NoSuchKey"
	if all := src.keys[srcKey]; len(all) > 0 && m.r.IntN(2) == 0 {
		v = &all[m.r.IntN(len(all))]
		header += "?versionId=" + v.id
		if v.marker {
			v, code = nil, "MethodNotAllowed"
		}
	} else {
		v = src.current(srcKey)
	}
	in := s3response.CopyObjectInput{Bucket: &name, Key: &key, CopySource: &header}
	meta := ""
	if v != nil {
		meta, code = v.meta, ""
	}
	if m.r.IntN(2) == 0 {
		meta = fmt.Sprint(m.r.Uint32())
		in.MetadataDirective, in.Metadata = types.MetadataDirectiveReplace, map[string]string{"m": meta}
	} else if v != nil && from == name && key == srcKey && !strings.Contains(header, "?") {
		code = "InvalidRequest" // a copy to itself that changes nothing
	}
	out, err := m.s.CopyObject(context.Background(), in)
	if m.expect(fmt.Sprintf("copy %s to %s/%q", header, name, key), err, code) {
		b.add(key, modelVersion{id: *out.VersionId, etag: v.etag, body: v.body, meta: meta})
	}
}

func (m *model) delete() {
	name, b := m.bucket()
	key := m.key()
	match, _, refusal := m.condition(b.current(key))
	if match == nil {
		refusal = ""
	}
	out, err := m.s.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &name, Key: &key, IfMatch: match})
	if !m.expect(fmt.Sprintf("delete %s/%q", name, key), err, refusal) {
		return
	}
	if b.versioning == "" {
		delete(b.keys, key)
		return
	}
	b.add(key, modelVersion{id: *out.VersionId, marker: true})
}

func (m *model) deleteVersion() {
	name, b := m.bucket()
	key := m.key()
	if len(b.keys[key]) == 0 {
		return
	}
	i := m.r.IntN(len(b.keys[key]))
	v := b.keys[key][i]
	out, err := m.s.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &name, Key: &key, VersionId: &v.id})
	if m.expect(fmt.Sprintf("delete %s/%q@%s", name, key, v.id), err, "") {
		if *out.DeleteMarker != v.marker {
			m.t.Errorf("delete %s/%q@%s: marker %v", name, key, v.id, *out.DeleteMarker)
		}
		if b.keys[key] = slices.Delete(b.keys[key], i, i+1); len(b.keys[key]) == 0 {
			delete(b.keys, key)
		}
	}
}

// toggle turns the versioning of one bucket on and off.
func (m *model) toggle() {
	b := m.buckets["suspended"]
	b.versioning = types.BucketVersioningStatus(m.pick("Enabled", "Suspended"))
	m.must(m.s.PutBucketVersioning(context.Background(), "suspended", b.versioning))
}

func (m *model) create() {
	name, b := m.bucket()
	u := &modelUpload{bucket: name, key: m.key(), meta: fmt.Sprint(m.r.Uint32()), parts: map[int32][]byte{}}
	out, err := m.s.CreateMultipartUpload(context.Background(), s3response.CreateMultipartUploadInput{
		Bucket: &name, Key: &u.key, Metadata: map[string]string{"m": u.meta}})
	if m.expect("create upload", err, "") {
		u.id, u.begun = out.UploadId, b.begin()
		m.uploads = append(m.uploads, u)
	}
}

func (m *model) upload() *modelUpload {
	if len(m.uploads) == 0 {
		return nil
	}
	return m.uploads[m.r.IntN(len(m.uploads))]
}

// uploadPart sends a part, big enough to be followed by others now and then, or copies it
// from an object.
func (m *model) uploadPart() {
	u := m.upload()
	if u == nil {
		return
	}
	number := int32(1 + m.r.IntN(3))
	if m.r.IntN(2) == 0 {
		m.copyPart(u, number)
		return
	}
	body := m.body()
	if m.r.IntN(3) == 0 {
		body = m.big[:5<<20+m.r.IntN(100)]
	}
	_, err := m.s.UploadPart(context.Background(), &s3.UploadPartInput{
		Bucket: &u.bucket, Key: &u.key, UploadId: &u.id, PartNumber: &number,
		Body: bytes.NewReader(body), ContentLength: ptr(int64(len(body)))})
	if m.expect("upload part", err, "") {
		u.parts[number] = body
	}
}

func (m *model) copyPart(u *modelUpload, number int32) {
	from, src := m.bucket()
	key := m.key()
	v := src.current(key)
	header := url.QueryEscape(from) + "/" + url.QueryEscape(key)
	in := &s3.UploadPartCopyInput{Bucket: &u.bucket, Key: &u.key, UploadId: &u.id, PartNumber: &number, CopySource: &header}
	code, body := "NoSuchKey", []byte(nil)
	if v != nil {
		code, body = "", v.body
		if len(body) > 1 {
			first := m.r.IntN(len(body))
			last := first + m.r.IntN(len(body)-first)
			in.CopySourceRange, body = ptr(fmt.Sprintf("bytes=%d-%d", first, last)), body[first:last+1]
		}
	}
	out, err := m.s.UploadPartCopy(context.Background(), in)
	if m.expect("copy part of "+header, err, code) {
		if want := etagOf(body); strings.Trim(*out.ETag, `"`) != want {
			m.t.Errorf("copy part of %s: ETag %s, expected %s", header, *out.ETag, want)
		}
		u.parts[number] = body
	}
}

func (m *model) complete() {
	u := m.upload()
	if u == nil || len(u.parts) == 0 {
		return
	}
	b := m.buckets[u.bucket]
	var listed []types.CompletedPart
	var body, sums []byte
	refusal := ""
	for n := int32(1); n <= 3; n++ {
		p, ok := u.parts[n]
		if !ok {
			continue
		}
		s := md5.Sum(p)
		listed = append(listed, types.CompletedPart{PartNumber: ptr(n), ETag: ptr(etagOf(p))})
		body, sums = append(body, p...), append(sums, s[:]...)
	}
	for _, p := range listed[:len(listed)-1] {
		if len(u.parts[*p.PartNumber]) < 5<<20 {
			refusal = "EntityTooSmall"
		}
	}
	match, noneMatch, no := m.condition(b.current(u.key))
	if refusal == "" {
		refusal = no
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &u.bucket, Key: &u.key, UploadId: &u.id, IfMatch: match, IfNoneMatch: noneMatch,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: listed}}
	out, id, err := m.s.CompleteMultipartUpload(context.Background(), in)
	if !m.expect(fmt.Sprintf("complete %s/%q", u.bucket, u.key), err, refusal) {
		return
	}
	sum := md5.Sum(sums)
	v := modelVersion{id: id, etag: fmt.Sprintf("%s-%d", hex.EncodeToString(sum[:]), len(listed)), begun: u.begun, body: body, meta: u.meta}
	b.add(u.key, v)
	m.uploads = slices.DeleteFunc(m.uploads, func(o *modelUpload) bool { return o == u })
	if again, sameID, err := m.s.CompleteMultipartUpload(context.Background(), in); err != nil || *again.ETag != *out.ETag || sameID != id {
		m.t.Errorf("complete %s/%q again: %s %s, %v; the first answer was %s %s", u.bucket, u.key, deref(again.ETag), sameID, err, *out.ETag, id)
	}
}

func (m *model) abort() {
	u := m.upload()
	if u == nil {
		return
	}
	in := &s3.AbortMultipartUploadInput{Bucket: &u.bucket, Key: &u.key, UploadId: &u.id}
	m.expect("abort", m.s.AbortMultipartUpload(context.Background(), in), "")
	m.expect("abort again", m.s.AbortMultipartUpload(context.Background(), in), "NoSuchUpload")
	m.uploads = slices.DeleteFunc(m.uploads, func(o *modelUpload) bool { return o == u })
}

// read gets a stretch of a current object.
func (m *model) read() {
	name, b := m.bucket()
	key := m.key()
	v := b.current(key)
	in := &s3.GetObjectInput{Bucket: &name, Key: &key}
	code := "NoSuchKey"
	var want []byte
	if v != nil {
		code, want = "", v.body
		if len(want) > 0 {
			first := m.r.IntN(len(want))
			last := first + m.r.IntN(len(want)-first)
			in.Range, want = ptr(fmt.Sprintf("bytes=%d-%d", first, last)), want[first:last+1]
		}
	}
	o, err := m.s.GetObject(context.Background(), in)
	if !m.expect(fmt.Sprintf("get %s/%q", name, key), err, code) {
		return
	}
	defer o.Body.Close()
	if got, err := io.ReadAll(o.Body); err != nil || !bytes.Equal(got, want) {
		m.t.Errorf("get %s/%q %s: %d bytes, %v, expected %d", name, key, deref(in.Range), len(got), err, len(want))
	}
}
