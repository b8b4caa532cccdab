package store

import (
	"maps"
	"strings"
)

// Rewritten returns the properties for a version that has other bytes than the one that p is
// of: what described the old bytes does not outlive them (SEMANTICS G9). whole: none of the old
// bytes is left, so that what says how to decode them is gone too. p does not change.
// docs/METADATA.md is the table of these rules for users.
func (p Props) Rewritten(whole bool) Props {
	meta := maps.Clone(p.Meta)
	for _, name := range checksums {
		delete(meta, name)
	}
	if attrs, ok := meta[s3cmdAttrs]; ok {
		if attrs = withoutMD5(attrs); attrs == "" {
			delete(meta, s3cmdAttrs)
		} else {
			meta[s3cmdAttrs] = attrs
		}
	}
	if whole {
		p.ContentEncoding = ""
		for _, name := range encodings {
			delete(meta, name)
		}
	}
	p.Meta = meta
	return p
}

// checksums are keys under which widely used tools keep a checksum of the bytes. Each of these
// tools refuses a download, or takes another file for the same, by what stands there.
//
// Tools that were looked at and keep none: AWS CLI, DataSync and Storage Gateway, s3fs, goofys,
// geesefs, and mc, whose mc-attrs have the form of s3cmd-attrs without an md5.
var checksums = []string{
	// rclone, of uploads in parts: https://rclone.org/s3/#hashes
	"md5chksum",
	// s4cmd, of every upload: upload_file in github.com/bloomreach/s4cmd/blob/master/s4cmd.py
	"md5",
	// JetS3t, of every upload, and of the bytes before it packed or encrypted them:
	// StorageObject.java in github.com/jmurty/jets3t
	"md5-hash", "original-md5-hash",
	// S3 Browser, older and newer: https://s3browser.com/data-integrity-checking.php
	"sha256", "checksum-crc32", "checksum-crc32c", "checksum-crc64nvme", "checksum-sha1", "checksum-sha256",
	// Backblaze B2's own clients, of uploads in parts:
	// https://www.backblaze.com/docs/cloud-storage-add-file-information-with-the-native-api
	"large_file_sha1",
}

// encodings are keys that say, as Content-Encoding does, what a reader has to do to the bytes.
// On other bytes he would fail.
var encodings = []string{
	// The S3 Encryption Clients of AWS, which put the key of an object into its metadata:
	// https://aws-amplify.github.io/aws-sdk-android/docs/reference/com/amazonaws/services/s3/package-summary.html
	"x-amz-key", "x-amz-key-v2", "x-amz-iv", "x-amz-matdesc", "x-amz-wrap-alg", "x-amz-cek-alg", "x-amz-tag-len",
	"x-amz-unencrypted-content-length", "x-amz-unencrypted-content-md5",
	// s3cmd put --encrypt: gpg_decrypt in github.com/s3tools/s3cmd/blob/master/s3cmd
	"s3tools-gpgenc",
}

// s3cmdAttrs has the attributes of s3cmd --preserve in one value: "atime:1/md5:2/mode:33188".
// s3cmd takes the md5 for that of the bytes (parse_attrs_header in S3/S3.py of github.com/s3tools/s3cmd).
const s3cmdAttrs = "s3cmd-attrs"

// withoutMD5 gives s3cmd-attrs without the checksum and otherwise as they were.
func withoutMD5(attrs string) string {
	var kept []string
	for attr := range strings.SplitSeq(attrs, "/") {
		if !strings.HasPrefix(attr, "md5:") {
			kept = append(kept, attr)
		}
	}
	return strings.Join(kept, "/")
}
