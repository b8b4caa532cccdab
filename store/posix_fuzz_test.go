package store

import (
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// metaOf makes user metadata of lines "name=value". Names are what a header can carry: those
// that arrive are lower case.
func metaOf(lines string) map[string]string {
	meta := make(map[string]string)
	for line := range strings.Lines(lines) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		meta[strings.ToLower(name)] = value
	}
	return meta
}

// known tells the names that Put may change.
func known(name string) bool {
	return slices.Contains([]string{metaMode, metaUID, metaGID, metaMtime, metaAtime, foreignMode, foreignUID, foreignGID,
		foreignMtime, foreignAtime, foreignCtime, metaWriteID, metaBase, metaHost, metaUser, metaWhat, metaFrom, metaDigest}, name)
}

// FuzzPosix: no metadata makes ReadPosix fail. What Put wrote is read back, unless there is no
// room for it; other names keep their values; it fits into an object with what the write adds.
func FuzzPosix(f *testing.F) {
	for _, lines := range []string{
		"", "file-permissions=0100644\nfile-owner=1000\nfile-group=1000\nfile-mtime=1595002920000000000ns\nfile-atime=5ns",
		"mode=33188\nuid=0\ngid=0\nmtime=1595002920.123456789\natime=-1.5", "mode=100644\nmtime=2020-07-17T16:22:00.5Z",
		"mtime=9223372036854775807\natime=-9223372036854775807.999999999\nx-other=kept",
		"file-mtime=-1\nfile-atime=99999999999999999999ns\nmode=+1\nmtime=1.+5", "latchfs-write-id=w\nlatchfs-base=b\nlatchfs-host=h",
		"x=" + strings.Repeat("v", 1700) + "\nfile-atime=5ns", "x=" + strings.Repeat("v", 2048),
	} {
		f.Add(lines, uint16(0o100644), uint32(1000), uint32(100), int64(1595002920), int64(5), uint8(0xff), "host", "version")
		f.Add(lines, uint16(0), uint32(0), uint32(math.MaxUint32), int64(math.MinInt64), int64(math.MaxInt64), uint8(HasMode|HasMtime), "h/ä", "")
	}
	f.Fuzz(func(t *testing.T, lines string, mode uint16, uid, gid uint32, sec, nano int64, has uint8, host, version string) {
		if len(lines) > 16<<10 {
			return
		}
		meta := metaOf(lines)
		before := maps.Clone(meta)
		read := ReadPosix(meta)
		if read.Has&HasMode != 0 && read.Mode > maxMode {
			t.Errorf("mode %o", read.Mode)
		}
		foreignForms(t, uint32(mode), sec, nano)
		p := Posix{Mode: uint32(mode), UID: uid, GID: gid, Mtime: time.Unix(sec, nano), Atime: time.Unix(nano, sec), Has: PosixField(has) & (HasMode | HasUID | HasGID | HasMtime | HasAtime)}
		all := read // Put wants all that was read
		all.take(p, p.Has)
		for _, attrs := range []Posix{all, read} {
			out, err := attrs.Put(meta)
			if !maps.Equal(meta, before) {
				t.Fatal("Put changed what it was given")
			}
			if err != nil {
				if metaSize(out) <= MaxMeta-ownReserve {
					t.Errorf("%v, with %d bytes", err, metaSize(out))
				}
				continue
			}
			readBack(t, attrs, read, ReadPosix(out))
			for name, value := range meta {
				if !known(name) && out[name] != value {
					t.Errorf("%q was %q and is %q", name, value, out[name])
				}
			}
			for name := range out {
				if _, ok := meta[name]; !ok && !known(name) {
					t.Errorf("%q is new", name)
				}
			}
			again, err := attrs.Put(out)
			if err != nil || !maps.Equal(again, out) {
				t.Errorf("put twice: %v, %v, once: %v", err, again, out)
			}
			carried(t, out, host, version)
		}
	})
}

// foreignForms fails unless the forms in which s3fs and rclone write a mode and a time are read.
func foreignForms(t *testing.T, mode uint32, sec, nano int64) {
	t.Helper()
	sec, nano = sec&(1<<37-1), nano&(1<<29-1) // to the year 6325: RFC 3339 ends at 9999
	want := time.Unix(sec, nano)
	for _, mtime := range []string{fmt.Sprintf("%d.%09d", sec, nano), want.UTC().Format(time.RFC3339Nano)} {
		if got := ReadPosix(map[string]string{foreignMtime: mtime}).Mtime; !got.Equal(want) {
			t.Errorf("mtime %s is read as %v", mtime, got)
		}
	}
	// Only what has type bits and six digits is octal.
	modes := []string{fmt.Sprint(mode)}
	if mode >= 0o100000 {
		modes = append(modes, fmt.Sprintf("%o", mode))
	}
	for _, text := range modes {
		if got := ReadPosix(map[string]string{foreignMode: text}); got.Has != HasMode || got.Mode != mode {
			t.Errorf("mode %s is read as %o", text, got.Mode)
		}
	}
}

// readBack fails unless the attributes that were put, or had been there before, are there, but
// for those that can be left out.
func readBack(t *testing.T, put, old, got Posix) {
	t.Helper()
	const may = HasUID | HasGID | HasAtime
	if lost := (put.Has | old.Has) &^ got.Has &^ may; lost != 0 || got.Has&^(put.Has|old.Has) != 0 {
		t.Errorf("fields %b put on %b were read back as %b", put.Has, old.Has, got.Has)
	}
	of := func(bit PosixField) Posix {
		if put.Has&bit != 0 {
			return put
		}
		return old
	}
	same := func(want, got time.Time) bool {
		// 64 bits of nanoseconds are what the metadata can say.
		first, last := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)
		switch {
		case got.Unix() == want.Unix() && (want.Before(first) || want.After(last)):
			return true // the seconds of s3fs and rclone have room for it
		case want.Unix() < first.Unix(), want.Unix() == first.Unix() && want.Before(first):
			want = first
		case want.Unix() > last.Unix(), want.Unix() == last.Unix() && want.After(last):
			want = last
		}
		return got.Equal(want)
	}
	if want := of(HasMode).Mode; got.Has&HasMode != 0 && got.Mode != want {
		t.Errorf("mode %o, want %o", got.Mode, want)
	}
	if want := of(HasUID).UID; got.Has&HasUID != 0 && put.Has&HasUID != 0 && got.UID != want {
		t.Errorf("uid %d, want %d", got.UID, want)
	}
	if want := of(HasGID).GID; got.Has&HasGID != 0 && put.Has&HasGID != 0 && got.GID != want {
		t.Errorf("gid %d, want %d", got.GID, want)
	}
	if put.Has&HasMtime != 0 && !same(put.Mtime, got.Mtime) {
		t.Errorf("mtime %v, want %v", got.Mtime, put.Mtime)
	}
	if put.Has&HasAtime != 0 && got.Has&HasAtime != 0 && got.Has&HasMode != 0 && !same(put.Atime, got.Atime) {
		t.Errorf("atime %v, want %v", got.Atime, put.Atime)
	}
}

// carried fails unless what Put made has room for what the write says of itself, which is then
// recognised.
func carried(t *testing.T, meta map[string]string, host, version string) {
	t.Helper()
	id, audit := NewWriteID(), Audit{User: version, What: WhatRename, From: host}
	own, err := (&Client{host: host, audit: AuditFull}).addOwn(Write{ID: id, Base: Base{ETag: "etag", VersionID: version}, Props: Props{Meta: meta}, Audit: audit})
	if err != nil || metaSize(own) > MaxMeta {
		t.Fatalf("with its write id: %v, %d bytes", err, metaSize(own))
	}
	if !wrote(own, id) || wrote(own, id+"x") || wrote(meta, id) {
		t.Error("the write id is not recognised")
	}
	base, err := url.PathUnescape(own[metaBase])
	if want := baseName(Base{ETag: "etag", VersionID: version}); err != nil || !strings.HasPrefix(want, base) || len(want) <= maxOwnValue/3 && base != want {
		t.Errorf("base %q of %q, %v", base, want, err)
	}
	for name, value := range meta {
		if own[name] != value {
			t.Errorf("the write changed %q", name)
		}
	}
}
