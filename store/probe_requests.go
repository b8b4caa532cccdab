package store

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
)

// The requests of a probe. What they make is noted, so that it can be removed.

// noEtag is one that no object has.
const noEtag = "00000000000000000000000000000000"

var (
	ifNone  = Condition{IfNone: true}
	ifStale = Condition{IfMatch: noEtag}
)

func ifMatch(i Info) Condition { return Condition{IfMatch: i.ETag} }

// content is that of an object, and no other has the same.
func content() string { return "Written by latchfs to prove what this server does. " + rand.Text() }

func crc32c(s string) string {
	sum := crc32.Checksum([]byte(s), crc32.MakeTable(crc32.Castagnoli))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

func putRequest(key string, cond Condition, text string) PutRequest {
	return PutRequest{Key: key, Cond: cond, Body: strings.NewReader(text), Size: int64(len(text)), CRC32C: crc32c(text)}
}

func (s *scene) put(how sending, cond Condition, text string) (Info, error) {
	i, err := ask(s, how, "Put", func(ctx context.Context) (Info, error) { return s.c.api.Put(ctx, putRequest(s.key, cond, text)) })
	s.keep(s.key, i, err)
	return i, err
}

func (s *scene) get(in GetRequest) (i Info, text string, err error) {
	in.Key = s.key
	text, err = ask(s, repeated, "Get", func(ctx context.Context) (string, error) {
		o, err := s.c.api.Get(ctx, in)
		if err != nil {
			return "", err
		}
		defer o.Body.Close()
		i = o.Info
		b, err := io.ReadAll(io.LimitReader(o.Body, smallBody))
		return string(b), err
	})
	return i, text, err
}

func (s *scene) delete(etag string) error {
	_, err := ask(s, single, "Delete", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.c.api.Delete(ctx, DeleteRequest{Key: s.key, IfMatch: etag})
	})
	s.keep(s.key, Info{VersionID: marker}, err)
	return err
}

func (s *scene) copy(how sending, in CopyRequest) (Info, error) {
	i, err := ask(s, how, "Copy", func(ctx context.Context) (Info, error) { return s.c.api.Copy(ctx, in) })
	s.keep(in.Key, i, err)
	return i, err
}

func (s *scene) createUpload() (string, error) {
	id, err := ask(s, repeated, "CreateUpload", func(ctx context.Context) (string, error) {
		return s.c.api.CreateUpload(ctx, CreateUploadRequest{Key: s.key})
	})
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.uploads[id] = s.key
	}
	return id, err
}

func (s *scene) uploadPart(upload, text string) (Part, error) {
	return ask(s, repeated, "UploadPart", func(ctx context.Context) (Part, error) {
		return s.c.api.UploadPart(ctx, PartRequest{Key: s.key, Upload: upload, Number: 1, Body: strings.NewReader(text), Size: int64(len(text)), CRC32C: crc32c(text)})
	})
}

func (s *scene) copyPart(upload string, number int32, from Info, etag string) error {
	_, err := ask(s, repeated, "CopyPart", func(ctx context.Context) (Part, error) {
		return s.c.api.CopyPart(ctx, CopyPartRequest{Key: s.key, Upload: upload, Number: number, Source: s.key, Version: from.VersionID,
			IfMatch: etag, Range: Range{Length: -1}})
	})
	return err
}

func (s *scene) complete(in CompleteRequest) (Info, error) {
	i, err := ask(s, single, "CompleteUpload", func(ctx context.Context) (Info, error) { return s.c.api.CompleteUpload(ctx, in) })
	s.closed(in.Upload, err)
	s.keep(s.key, i, err)
	return i, err
}

func (s *scene) abort(upload string) error {
	_, err := ask(s, repeated, "AbortUpload", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.c.api.AbortUpload(ctx, s.key, upload)
	})
	s.closed(upload, err)
	return err
}

// keep notes what a request made of a key, if it did.
func (s *scene) keep(key string, made Info, err error) {
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.made[key] = append(s.made[key], made.VersionID)
	}
}

// inOrder notes that what was made of the key was made in the order in which it is noted.
func (s *scene) inOrder() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ordered[s.key] = true
}

// closed notes that an upload is over, if it is.
func (s *scene) closed(upload string, err error) {
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.uploads, upload)
	}
}
