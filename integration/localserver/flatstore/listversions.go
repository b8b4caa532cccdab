package flatstore

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"
	"github.com/versity/versitygw/s3response"
)

// A listedVersion is an entry of a listing of versions: a version or a common prefix.
type listedVersion struct {
	*version
	key, id string
	latest  bool
	common  string
}

// A versionsPage is one answer of ListObjectVersions, in the order of S3: by key, and
// the versions and markers of a key newest first.
type versionsPage struct {
	name, prefix, delimiter, keyMarker, idMarker string
	limit                                        int
	enc                                          encoding

	entries         []listedVersion
	truncated       bool
	nextKey, nextID string
}

// listVersions fills p. A version marker is the id of a version, whose sequence tells
// where to go on, whether the version is still there or not.
func (s *Store) listVersions(p *versionsPage) error {
	return s.viewBucket(p.name, func(b *bucket) error {
		if p.limit == 0 {
			return nil
		}
		w := walk{prefix: p.prefix, delimiter: p.delimiter, after: p.keyMarker}
		c := b.versions().Cursor()
		if p.keyMarker != "" && p.idMarker != "" && w.common(p.keyMarker) == "" && strings.HasPrefix(p.keyMarker, p.prefix) {
			full, err := p.rest(b, p.keyMarker)
			if err != nil || full {
				return err
			}
		}
		return w.run(c, func(common, key string, _, _ []byte) (bool, error) {
			if common == "" {
				full, err := p.versionsOf(b, key, keyStart(key))
				return !full, err
			}
			return p.add(listedVersion{common: common}), nil
		})
	})
}

// add appends an entry, or finds the page full.
func (p *versionsPage) add(e listedVersion) (more bool) {
	if len(p.entries) == p.limit {
		p.truncated = true
		last := p.entries[p.limit-1]
		if p.nextKey = last.key; last.common != "" {
			p.nextKey = last.common
			return false
		}
		p.nextID = last.marker()
		return false
	}
	p.entries = append(p.entries, e)
	return true
}

// marker is an id that parseVersionID reads even for the null version.
func (e listedVersion) marker() string {
	if e.version.ID == nullVersion {
		return newVersionID(e.Seq)
	}
	return e.version.ID
}

// rest lists the versions of key that are older than the version marker.
func (p *versionsPage) rest(b *bucket, key string) (full bool, err error) {
	seq, ok := parseVersionID(p.idMarker)
	if !ok {
		v, err := b.find(key, p.idMarker)
		if err != nil || v == nil {
			return false, err
		}
		seq = v.Seq
	}
	if seq == 0 {
		return false, nil
	}
	return p.versionsOf(b, key, rowKey(key, seq-1))
}

// versionsOf lists the versions of key from the row at from on.
func (p *versionsPage) versionsOf(b *bucket, key string, from []byte) (full bool, err error) {
	start := keyStart(key)
	first, _ := b.versions().Cursor().Seek(start)
	c := b.versions().Cursor()
	for k, v := c.Seek(from); bytes.HasPrefix(k, start); k, v = c.Next() {
		row := &version{}
		if _, err := decodeRow(v, row); err != nil {
			return false, err
		}
		_, row.Seq = splitRowKey(k)
		if !p.add(listedVersion{version: row, key: key, id: row.ID, latest: bytes.Equal(k, first)}) {
			return true, nil
		}
	}
	return false, nil
}

// versionsBody is where the request keeps the answer that OrderVersions sends.
const versionsBody = "flatstore.versions"

// ListObjectVersions lists versions. The front's own form of the answer has versions and
// markers in two lists, which loses their order: through OrderVersions S3's form is sent.
func (s *Store) ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput) (out s3response.ListVersionsResult, err error) {
	p := &versionsPage{
		name: deref(in.Bucket), prefix: deref(in.Prefix), delimiter: deref(in.Delimiter),
		keyMarker: deref(in.KeyMarker), idMarker: deref(in.VersionIdMarker),
		limit: int(deref(in.MaxKeys)), enc: urlEncoded(ctx, in.EncodingType),
	}
	if err := s.listVersions(p); err != nil {
		return out, err
	}
	if rc, ok := ctx.(*fasthttp.RequestCtx); ok {
		rc.SetUserValue(versionsBody, p.xml())
		return out, nil
	}
	return p.result(in), nil
}

// OrderVersions is the middleware that sends the answers of ListObjectVersions.
func OrderVersions(c fiber.Ctx) error {
	err := c.Next()
	body, ok := c.RequestCtx().UserValue(versionsBody).([]byte)
	if err != nil || !ok || c.Response().StatusCode() != fasthttp.StatusOK {
		return err
	}
	c.Response().Header.SetContentType(fiber.MIMEApplicationXML)
	return c.Send(body)
}

// xml is the answer in S3's form.
func (p *versionsPage) xml() []byte {
	var b bytes.Buffer
	text := func(name, value string) {
		fmt.Fprintf(&b, "<%s>", name)
		xmlText(&b, value)
		fmt.Fprintf(&b, "</%s>", name)
	}
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	text("Name", p.name)
	text("Prefix", *p.enc.of(p.prefix))
	text("KeyMarker", *p.enc.of(p.keyMarker))
	text("VersionIdMarker", p.idMarker)
	if p.truncated {
		text("NextKeyMarker", *p.enc.of(p.nextKey))
		if p.nextID != "" {
			text("NextVersionIdMarker", p.nextID)
		}
	}
	text("MaxKeys", fmt.Sprint(p.limit))
	if p.delimiter != "" {
		text("Delimiter", *p.enc.of(p.delimiter))
	}
	if p.enc {
		text("EncodingType", "url")
	}
	text("IsTruncated", fmt.Sprint(p.truncated))
	for _, e := range p.entries {
		if e.common != "" {
			continue
		}
		element := "Version"
		if e.Marker {
			element = "DeleteMarker"
		}
		b.WriteString("<" + element + ">")
		text("Key", *p.enc.of(e.key))
		text("VersionId", e.id)
		text("IsLatest", fmt.Sprint(e.latest))
		text("LastModified", e.modified().UTC().Format("2006-01-02T15:04:05.000Z"))
		if !e.Marker {
			text("ETag", *quoted(e.ETag))
			text("Size", fmt.Sprint(e.Size))
			text("StorageClass", "STANDARD")
		}
		b.WriteString("</" + element + ">")
	}
	for _, e := range p.entries {
		if e.common != "" {
			b.WriteString("<CommonPrefixes>")
			text("Prefix", *p.enc.of(e.common))
			b.WriteString("</CommonPrefixes>")
		}
	}
	b.WriteString("</ListVersionsResult>")
	return b.Bytes()
}

// result is the answer in the form of the front, for callers in the same process.
func (p *versionsPage) result(in *s3.ListObjectVersionsInput) s3response.ListVersionsResult {
	out := s3response.ListVersionsResult{
		Name: in.Bucket, Prefix: in.Prefix, Delimiter: in.Delimiter, MaxKeys: in.MaxKeys,
		KeyMarker: in.KeyMarker, VersionIdMarker: in.VersionIdMarker, IsTruncated: &p.truncated, EncodingType: p.enc.name(),
	}
	if p.truncated {
		out.NextKeyMarker, out.NextVersionIdMarker = p.enc.of(p.nextKey), &p.nextID
	}
	for _, e := range p.entries {
		switch {
		case e.common != "":
			out.CommonPrefixes = append(out.CommonPrefixes, types.CommonPrefix{Prefix: p.enc.of(e.common)})
		case e.Marker:
			out.DeleteMarkers = append(out.DeleteMarkers, types.DeleteMarkerEntry{
				Key: p.enc.of(e.key), VersionId: &e.id, IsLatest: &e.latest, LastModified: ptr(e.modified().In(time.UTC)),
			})
		default:
			out.Versions = append(out.Versions, s3response.ObjectVersion{
				Key: p.enc.of(e.key), VersionId: &e.id, IsLatest: &e.latest, LastModified: ptr(e.modified().In(time.UTC)),
				ETag: quoted(e.ETag), Size: &e.Size, StorageClass: types.ObjectVersionStorageClassStandard,
			})
		}
	}
	return out
}
