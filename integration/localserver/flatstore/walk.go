package flatstore

import (
	"bytes"
	"encoding/xml"
	"net/url"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// A walk goes through keys in the order of a listing, in which keys with a common
// prefix up to the delimiter are one entry.
type walk struct {
	prefix, delimiter string
	after             string // the last entry of the page before, a key or a common prefix
}

// common gives the common prefix that key is listed under, "" if it is listed itself.
func (w walk) common(key string) string {
	if w.delimiter == "" || !strings.HasPrefix(key, w.prefix) {
		return ""
	}
	i := strings.Index(key[len(w.prefix):], w.delimiter)
	if i < 0 {
		return ""
	}
	return key[:len(w.prefix)+i+len(w.delimiter)]
}

// start is where to begin to look; nil if nothing can be there.
func (w walk) start() []byte {
	from := escapeKey(w.prefix)
	if w.after == "" {
		return from
	}
	after := keyEnd(w.after)
	if w.common(w.after) == w.after {
		after = prefixEnd(w.after)
	}
	if after == nil || bytes.Compare(after, from) > 0 {
		return after
	}
	return from
}

// run shows each entry to visit until that says to stop: with a common prefix, or with
// the newest row of a key.
func (w walk) run(c *bolt.Cursor, visit func(common, key string, k, v []byte) (more bool, err error)) error {
	next := w.start()
	for next != nil {
		k, v := c.Seek(next)
		if k == nil {
			return nil
		}
		key, _ := splitRowKey(k)
		if !strings.HasPrefix(key, w.prefix) {
			return nil
		}
		next = keyEnd(key)
		common := w.common(key)
		if common != "" {
			next = prefixEnd(common)
		}
		more, err := visit(common, key, k, v)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// An encoding writes keys into listings: as they are, or URL-encoded, since XML 1.0
// cannot hold control characters.
type encoding bool

func (e encoding) of(s string) *string {
	if e {
		s = strings.ReplaceAll(url.QueryEscape(s), "%2F", "/")
	}
	return &s
}

// opt is of, but nil for "".
func (e encoding) opt(s string) *string {
	if s == "" {
		return nil
	}
	return e.of(s)
}

// xmlText escapes s for an element.
func xmlText(b *bytes.Buffer, s string) { xml.EscapeText(b, []byte(s)) }
