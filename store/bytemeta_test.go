package store_test

import (
	"maps"
	"testing"

	"github.com/latchfs/latchfs/store"
)

// SEMANTICS G9: what describes the old bytes does not outlive them, and all else does.
func TestRewritten(t *testing.T) {
	checksums := []string{
		"md5chksum", "md5", "md5-hash", "original-md5-hash", "sha256", "checksum-crc32", "checksum-crc32c", "checksum-crc64nvme",
		"checksum-sha1", "checksum-sha256", "large_file_sha1",
	}
	encodings := []string{
		"x-amz-key", "x-amz-key-v2", "x-amz-iv", "x-amz-matdesc", "x-amz-wrap-alg", "x-amz-cek-alg", "x-amz-tag-len",
		"x-amz-unencrypted-content-length", "x-amz-unencrypted-content-md5", "s3tools-gpgenc",
	}
	old := store.Props{Meta: map[string]string{"colour": "red", "mtime": "1"}, ContentType: "text/html", ContentEncoding: "gzip", StorageClass: "STANDARD_IA", TagCount: 2}
	kept := maps.Clone(old.Meta)
	for _, name := range checksums {
		old.Meta[name] = "x"
	}
	for _, name := range encodings {
		old.Meta[name], kept[name] = "x", "x"
	}
	before := maps.Clone(old.Meta)
	part := old.Rewritten(false)
	if want := old; !maps.Equal(part.Meta, kept) || !sameProps(part, want) {
		t.Errorf("a part of the bytes is new: %+v", part)
	}
	for _, name := range encodings {
		delete(kept, name)
	}
	whole, want := old.Rewritten(true), old
	want.ContentEncoding = ""
	if !maps.Equal(whole.Meta, kept) || !sameProps(whole, want) {
		t.Errorf("all bytes are new: %+v", whole)
	}
	if !maps.Equal(old.Meta, before) || old.ContentEncoding == "" {
		t.Errorf("the caller's properties were changed: %+v", old)
	}
	if none := (store.Props{}).Rewritten(true); len(none.Meta) != 0 {
		t.Errorf("nothing became %+v", none)
	}
}

// s3cmd has all its attributes in one value.
func TestRewrittenS3cmd(t *testing.T) {
	for old, want := range map[string]string{
		"uid:501/gname:staff/uname:l/gid:20/mode:33188/mtime:1/atime:2/md5:656c/ctime:1": "uid:501/gname:staff/uname:l/gid:20/mode:33188/mtime:1/atime:2/ctime:1",
		"md5:656c/uid:1":   "uid:1",
		"uid:1/md5:656c":   "uid:1",
		"uid:1/uname:md5":  "uid:1/uname:md5",
		"md5:656c":         "",
		"no attributes:/:": "no attributes:/:",
	} {
		p := store.Props{Meta: map[string]string{"s3cmd-attrs": old}}.Rewritten(false)
		got, there := p.Meta["s3cmd-attrs"]
		if got != want || there != (want != "") {
			t.Errorf("%q became %q, want %q", old, got, want)
		}
	}
}
