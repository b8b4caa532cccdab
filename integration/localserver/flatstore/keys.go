package flatstore

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// A row key is the object key with every 0x00 escaped, a terminator, and the
// complement of the version's sequence number. bbolt orders its keys as bytes, so
// rows come in the order in which S3 lists: keys by their UTF-8 bytes, and the
// versions of one key newest first.
const (
	escaped    = 0xff // follows a 0x00 that belongs to the key
	terminator = 0x01 // follows the 0x00 that ends the key
	afterwards = 0x02 // sorts behind all rows of the key
)

// nullVersion is the id of a version written while versioning was not enabled.
const nullVersion = "null"

// escapeKey gives the bytes that the row keys of all keys beginning with s begin with.
func escapeKey(s string) []byte {
	b := make([]byte, 0, len(s)+10)
	for i := 0; i < len(s); i++ {
		if b = append(b, s[i]); s[i] == 0 {
			b = append(b, escaped)
		}
	}
	return b
}

// keyStart is the position of the newest row of key.
func keyStart(key string) []byte { return append(escapeKey(key), 0, terminator) }

// keyEnd is the position behind all rows of key.
func keyEnd(key string) []byte { return append(escapeKey(key), 0, afterwards) }

func rowKey(key string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(keyStart(key), ^seq)
}

func splitRowKey(k []byte) (key string, seq uint64) {
	body, tail := k[:len(k)-10], k[len(k)-8:]
	if bytes.IndexByte(body, 0) >= 0 {
		body = bytes.ReplaceAll(body, []byte{0, escaped}, []byte{0})
	}
	return string(body), ^binary.BigEndian.Uint64(tail)
}

// prefixEnd is the position behind all rows whose keys begin with prefix; nil if that
// is the end of everything.
func prefixEnd(prefix string) []byte {
	b := escapeKey(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i]++; b[i] != 0 {
			return b[:i+1]
		}
	}
	return nil
}

// newVersionID makes the public name of the version with sequence seq. It carries the
// sequence, so that a version is found, and its place in a listing known even after it
// is gone, without an index of ids. What is random comes first: clients show the
// beginning of an id, as of S3's own.
func newVersionID(seq uint64) string {
	var b [16]byte
	rand.Read(b[:8])
	binary.BigEndian.PutUint64(b[8:], seq)
	return hex.EncodeToString(b[:])
}

// parseVersionID gives the sequence in id, and whether id has the form of an id.
func parseVersionID(id string) (uint64, bool) {
	if len(id) != 32 {
		return 0, false
	}
	seq, err := strconv.ParseUint(id[16:], 16, 64)
	return seq, err == nil
}
