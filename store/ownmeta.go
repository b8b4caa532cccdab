package store

import (
	"fmt"
	"maps"
	"net/url"
	"strings"
)

// What every commit says of itself in user metadata. Values are percent-encoded.
const (
	metaWriteID = "latchfs-write-id"
	// metaBase is the version that the author saw: its version id, its ETag where there is
	// none, "-" for nothing.
	metaBase = "latchfs-base"
	// metaDigest is a digest of the attributes under the AWS keys (laterwrites.go).
	metaDigest = "latchfs-attrs"
)

const (
	// maxOwnValue bounds the values above in bytes, so that with the file-* keys all that is
	// ours stays below 350. Version ids of known stores have at most 36.
	maxOwnValue = 48
	// ownReserve is the room that Posix.Put leaves for write id and base.
	ownReserve = len(metaWriteID) + 26 + len(metaBase) + maxOwnValue
)

// addOwn returns a copy of the metadata of a write with what it says of itself in it. Where there is
// little room the audit goes first, then atime, the inode number, the digest, and the ids.
func (c *Client) addOwn(w Write) (map[string]string, error) {
	out := make(map[string]string, len(w.Props.Meta)+6)
	maps.Copy(out, w.Props.Meta)
	dropOwn(out)
	out[metaWriteID] = url.PathEscape(string(w.ID))
	out[metaBase] = escapeShort(baseName(w.Base))
	if err := fitMeta(out, MaxMeta); err != nil {
		return out, err
	}
	c.addAudit(out, w.Audit)
	return out, nil
}

// MadeNew tells whether a version was made where nothing was, by a writer that follows the
// protocol. Props have to be complete.
func (i Info) MadeNew() bool {
	return i.Props.Meta[metaWriteID] != "" && i.Props.Meta[metaBase] == baseName(Base{})
}

// dropOwn removes what an earlier write said of itself. The digest is about the attributes, and
// stays as long as they do.
func dropOwn(meta map[string]string) {
	for _, name := range []string{metaWriteID, metaBase, metaHost, metaUser, metaWhat, metaFrom} {
		delete(meta, name)
	}
}

// fitMeta leaves out of meta what can be done without until it has at most limit bytes.
func fitMeta(meta map[string]string, limit int) error {
	size := metaSize(meta)
	for _, name := range []string{metaAtime, metaMtimeSet, metaInode, metaDigest, metaUID, metaGID} {
		if size <= limit {
			return nil
		}
		if value, ok := meta[name]; ok {
			size -= len(name) + len(value)
			delete(meta, name)
		}
	}
	if size > limit {
		return fmt.Errorf("%w: %d bytes of user metadata, %d would fit", ErrMetadataFull, size, limit)
	}
	return nil
}

// baseName names a base in metadata.
func baseName(b Base) string {
	switch {
	case b.Absent():
		return "-"
	case b.VersionID != "":
		return b.VersionID
	}
	return b.ETag
}

// escapeShort percent-encodes as much of s as fits into a value.
func escapeShort(s string) string {
	var b strings.Builder
	for i := range len(s) {
		e := url.PathEscape(s[i : i+1])
		if b.Len()+len(e) > maxOwnValue {
			break
		}
		b.WriteString(e)
	}
	return b.String()
}

// wrote tells whether an object carries the write id.
func wrote(meta map[string]string, id WriteID) bool {
	return id != "" && meta[metaWriteID] == url.PathEscape(string(id))
}
