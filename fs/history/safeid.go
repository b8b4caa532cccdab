package history

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

const (
	// maxID bounds what a name shows of an id, in bytes. Those of known stores have at most 36; S3
	// allows 1,024.
	maxID = 96
	// longID is what is shown of a longer one, before a digest of it.
	longID = 48
)

// safe makes a version id part of a file's name: ids are opaque. Two ids never become the same. On a
// bucket that never was versioned there is none; S3 calls that version "null".
func safe(id string) string {
	switch id {
	case "":
		return "null"
	case metaMark[1:], deletedMark[1:]: // it must not look like the end of a name
		return fmt.Sprintf("%%%02X%s", id[0], id[1:])
	}
	var b strings.Builder
	for i := range len(id) {
		if c := id[i]; plain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if s := b.String(); len(s) <= maxID {
		return s
	}
	// "%-" begins no escape.
	return fmt.Sprintf("%s%%-%x", b.String()[:longID], sha256.Sum256([]byte(id)))[:maxID]
}

// plain tells whether a character of an id stands for itself.
func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}
