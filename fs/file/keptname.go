package file

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/latchfs/latchfs/store"
)

const (
	// maxName is the longest name that Linux allows in a directory, in bytes.
	maxName = 255
	// maxHost is how much of a host's name goes into the name of a kept file.
	maxHost = 40
)

// keptName is the name of a file kept beside key: NAME.conflict-HOST-TIME-ID, with the
// name cut so that the limits are kept.
func keptName(key, kind, host string, at time.Time, id, suffix string) string {
	host = strings.Map(func(r rune) rune {
		if r == '/' || r < ' ' || r == utf8.RuneError {
			return '_'
		}
		return r
	}, cut(host, maxHost))
	return fitKey(key, "."+kind+"-"+host+"-"+at.UTC().Format("20060102T150405Z")+"-"+id+suffix)
}

// fitKey appends the suffix to the key, whose name is cut, or which goes to a directory
// above, if it would become too long.
func fitKey(key, suffix string) string {
	key = strings.TrimSuffix(key, "/")
	i := strings.LastIndexByte(key, '/') + 1
	dir, name := key[:i], key[i:]
	for len(dir)+1+len(suffix) > store.MaxKey && dir != "" {
		dir = dir[:strings.LastIndexByte(dir[:len(dir)-1], '/')+1]
	}
	return dir + cut(name, min(maxName, store.MaxKey-len(dir))-len(suffix)) + suffix
}

// cut returns at most n bytes of s and no half character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[:max(n, 0)]
	for len(s) > 0 {
		if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size != 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s
}

// newID is what makes two names of the same second differ.
func newID() string {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
