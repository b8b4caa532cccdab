package store_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
)

// SEMANTICS Attributes and times: what another tool wrote after us counts, and what it only put
// back with less precision does not.
func TestLaterWritesCount(t *testing.T) {
	at := time.Unix(1700000000, 123456789)
	ours := store.Posix{Mode: 0o100644, UID: 5, GID: 6, Mtime: at, Atime: at, Has: all}
	s3fs := map[string]string{"mode": "33188", "uid": "5", "gid": "6", "mtime": "1.000000001", "atime": "1.000000001"}
	for name, c := range map[string]struct {
		before, later map[string]string
		remove        string
		want          func(*store.Posix)
	}{
		"nobody": {before: s3fs},
		"rclone touch": {later: map[string]string{"mtime": "981173106.5"}, want: func(p *store.Posix) {
			p.Mtime = time.Unix(981173106, 500000000)
		}},
		"rclone touch of what s3fs wrote": {before: s3fs, later: map[string]string{"mtime": "1700000001"}, want: func(p *store.Posix) {
			p.Mtime = time.Unix(1700000001, 0)
		}},
		"rclone --metadata": {later: map[string]string{"mode": "100600", "mtime": "2001-02-03T04:05:06Z"}, want: func(p *store.Posix) {
			p.Mode, p.Mtime = 0o100600, time.Unix(981173106, 0)
		}},
		"s3fs chmod and chown": {before: s3fs, later: map[string]string{"mode": "33152", "uid": "7", "gid": "8"}, want: func(p *store.Posix) {
			p.Mode, p.UID, p.GID = 0o100600, 7, 8
		}},
		"s3fs write":    {before: s3fs, later: map[string]string{"mtime": "1800000000.000000001", "atime": "1800000000.5"}, want: func(p *store.Posix) { p.Mtime, p.Atime = time.Unix(1800000000, 1), time.Unix(1800000000, 5e8) }},
		"a second back": {before: s3fs, later: map[string]string{"mtime": "1699999999"}, want: func(p *store.Posix) { p.Mtime = time.Unix(1699999999, 0) }},

		"fewer digits":       {later: map[string]string{"mtime": "1700000000.12345"}},
		"fewer, rounded":     {later: map[string]string{"mtime": "1700000000.12346"}},
		"a float64":          {later: map[string]string{"mtime": "1700000000.123456717"}},
		"whole seconds":      {before: s3fs, later: map[string]string{"mtime": "1700000000", "atime": "1700000000"}},
		"RFC 3339":           {later: map[string]string{"mtime": "2023-11-14T22:13:20.123Z"}},
		"mode without type":  {later: map[string]string{"mode": "420"}},
		"no type, another":   {later: map[string]string{"mode": "384"}, want: func(p *store.Posix) { p.Mode = 0o600 }},
		"cannot be read":     {before: s3fs, later: map[string]string{"mtime": "today", "mode": "rw"}},
		"cannot be read all": {later: map[string]string{"mtime": "", "uid": "x"}},

		"DataSync":                     {before: s3fs, later: map[string]string{"file-mtime": "1ns", "file-permissions": "0100600"}, want: func(p *store.Posix) { p.Mtime, p.Mode = time.Unix(0, 1), 0o100600 }},
		"DataSync and rclone":          {later: map[string]string{"file-mtime": "1ns", "mtime": "2"}, want: func(p *store.Posix) { p.Mtime = time.Unix(0, 1) }},
		"AWS milliseconds":             {before: s3fs, later: map[string]string{"file-mtime": "1700000000123", "file-atime": "1700000000123"}, want: func(*store.Posix) {}},
		"AWS milliseconds, then touch": {later: map[string]string{"file-mtime": "1700000000123", "mtime": "7.5"}, want: func(p *store.Posix) { p.Mtime = time.Unix(7, 5e8) }},
		"another AWS id form":          {later: map[string]string{"file-owner": "05", "mtime": "7.5"}, want: func(p *store.Posix) { p.Mtime = time.Unix(7, 5e8) }},
		"one AWS key is gone":          {before: s3fs, remove: "file-owner", later: map[string]string{"uid": "7", "mtime": "2"}, want: func(p *store.Posix) { p.UID = 7 }},
		"an older latchfs":             {before: s3fs, later: map[string]string{"file-mtime": "9ns", "mtime": "0.000000009"}, want: func(p *store.Posix) { p.Mtime = time.Unix(0, 9) }},
		"no digest":                    {before: s3fs, remove: "latchfs-attrs", later: map[string]string{"mtime": "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			meta, err := ours.Put(c.before)
			if err != nil {
				t.Fatal(err)
			}
			delete(meta, c.remove)
			maps.Copy(meta, c.later)
			want := ours
			if c.want != nil {
				c.want(&want)
			}
			check := func(meta map[string]string) {
				t.Helper()
				got := store.ReadPosix(meta)
				if !got.Mtime.Equal(want.Mtime) || !got.Atime.Equal(want.Atime) || got.Mode != want.Mode || got.UID != want.UID || got.GID != want.GID || got.Has != want.Has {
					t.Errorf("%+v, want %+v\n%v", got, want, meta)
				}
			}
			check(meta)
			// Our next write makes it the truth under all keys.
			if meta, err = store.ReadPosix(meta).Put(meta); err != nil {
				t.Fatal(err)
			}
			check(meta)
			meta["mtime"] = "5"
			want.Mtime = time.Unix(5, 0)
			check(meta)
		})
	}
}

// Where there is no room for the digest nothing else suffers, and today's rule is that of an
// object without one.
func TestDigestGivesWay(t *testing.T) {
	p := store.Posix{Mode: 0o100644, UID: 1000, GID: 1000, Mtime: time.Unix(1700000000, 0), Atime: time.Unix(1700000000, 0), Has: all}
	order := map[string]bool{}
	for n := range 2048 {
		meta, err := p.Put(map[string]string{"x": strings.Repeat("x", n)})
		if err != nil {
			break
		}
		_, digest := meta["latchfs-attrs"]
		_, atime := meta["file-atime"]
		_, owner := meta["file-owner"]
		switch {
		case atime && !digest, digest && !owner:
			t.Fatalf("with %d foreign bytes: %v", n, meta)
		case !digest && owner:
			order["digest"] = true
		case !atime && digest:
			order["atime"] = true
		}
		meta["mtime"] = "5"
		if got := store.ReadPosix(meta).Mtime; got.Equal(time.Unix(5, 0)) != digest {
			t.Fatalf("with %d foreign bytes the mtime is %v", n, got)
		}
	}
	if !order["atime"] || !order["digest"] {
		t.Errorf("left out alone: %v", order)
	}
}
