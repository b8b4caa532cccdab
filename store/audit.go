package store

import (
	"net/url"
	"strings"
)

// What says what a commit did, for people.
type What string

// The kinds of commits. A commit that changes bytes is a write, whatever it changes besides; so is
// one that makes an object where nothing was, except by a rename or a restore.
const (
	WhatWrite   What = "write"   // other bytes
	WhatMeta    What = "meta"    // the attributes alone
	WhatRename  What = "rename"  // the bytes of another key
	WhatRestore What = "restore" // the bytes of an older version
)

// What a version can be besides: no commit says these of itself.
const (
	WhatDelete  What = "delete"  // a delete marker
	WhatForeign What = "foreign" // made by another tool: Foreign
)

// An Audit is what a commit says of its author, for people. No fields but the write id and the base
// decide anything. What is empty is not known: the audit is left out first where there is no room.
type Audit struct {
	Host string // "" in a Write: the client's
	User string // name or number on that host
	What What
	From string // the key that a rename took the bytes from, the version id that a restore did
}

// AuditLevel says how much of an Audit is written.
type AuditLevel uint8

// The levels.
const (
	AuditMinimal AuditLevel = iota // all but the user
	AuditFull                      // all
	AuditOff                       // nothing: write id and base alone
)

// A Commit is what a version says of the commit that made it.
type Commit struct {
	ID WriteID // "": another tool made it
	// Base is the version that the author saw: its version id, its ETag where there is none, "-"
	// for nothing. It may be cut off after 48 bytes, escaped.
	Base string
	Audit
}

// Names of the audit in user metadata. Values are percent-encoded.
const (
	metaHost = "latchfs-host"
	metaUser = "latchfs-user"
	metaWhat = "latchfs-what"
	metaFrom = "latchfs-from"
)

// maxOwn bounds the bytes of all our own keys together (SEMANTICS Metadata).
const maxOwn = 350

// ReadCommit reads what user metadata say of the commit that made a version.
func ReadCommit(meta map[string]string) Commit {
	// What is wrongly escaped was written by somebody else, and is shown as it is.
	text := func(name string) string {
		if s, err := url.PathUnescape(meta[name]); err == nil {
			return s
		}
		return meta[name]
	}
	c := Commit{ID: WriteID(text(metaWriteID)), Base: text(metaBase)}
	c.Audit = Audit{Host: text(metaHost), User: text(metaUser), What: What(text(metaWhat)), From: text(metaFrom)}
	switch c.What {
	case WhatWrite, WhatMeta, WhatRename, WhatRestore:
	default:
		c.What, c.From = "", ""
	}
	return c
}

// Foreign tells which of the versions of one key, from the oldest to the newest, other tools made:
// those without a write id, and those with the one of an older version, whose metadata were copied.
// Delete markers have no metadata; what it says of them means nothing.
func Foreign(oldestFirst []Commit) []bool {
	foreign, seen := make([]bool, len(oldestFirst)), make(map[WriteID]bool)
	for i, c := range oldestFirst {
		foreign[i] = c.ID == "" || seen[c.ID]
		seen[c.ID] = true
	}
	return foreign
}

// addAudit puts an audit into metadata, in the order of what people ask first, as far as there is
// room. Nothing of it is cut off but the host: half a key or half a user is another one.
func (c *Client) addAudit(meta map[string]string, a Audit) {
	if c.audit == AuditOff {
		return
	}
	own, all := ownSize(meta), metaSize(meta)
	add := func(name, value string) {
		if n := len(name) + len(value); value != "" && own+n <= maxOwn && all+n <= MaxMeta {
			meta[name] = value
			own, all = own+n, all+n
		}
	}
	if a.Host == "" {
		a.Host = c.host
	}
	add(metaHost, escapeShort(a.Host))
	add(metaWhat, url.PathEscape(string(a.What)))
	if c.audit == AuditFull {
		add(metaUser, url.PathEscape(a.User))
	}
	if meta[metaWhat] != "" {
		add(metaFrom, escapeKey(a.From))
	}
}

// escapeKey percent-encodes a key, but for its slashes.
func escapeKey(key string) string {
	return strings.ReplaceAll(url.PathEscape(key), "%2F", "/")
}

// ownSize counts the bytes of our own keys.
func ownSize(meta map[string]string) (n int) {
	for _, name := range []string{metaWriteID, metaBase, metaDigest, metaMtimeSet, metaInode, metaMode, metaUID, metaGID, metaMtime, metaAtime} {
		if value, ok := meta[name]; ok {
			n += len(name) + len(value)
		}
	}
	return n
}

// metaSize counts the bytes of user metadata as S3 does.
func metaSize(meta map[string]string) (n int) {
	for name, value := range meta {
		n += len(name) + len(value)
	}
	return n
}
