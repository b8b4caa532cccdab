package store_test

import (
	"errors"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
)

const all = store.HasMode | store.HasUID | store.HasGID | store.HasMtime | store.HasAtime

// The keys and forms of AWS DataSync, Storage Gateway and FSx.
func TestPosixWritten(t *testing.T) {
	p := store.Posix{Mode: 0o100664, UID: 1000, GID: math.MaxUint32, Mtime: time.Unix(1595002920, 123456789), Atime: time.Unix(-1, 0), Has: all}
	foreign := map[string]string{"colour": "red"}
	meta, err := p.Put(foreign)
	if len(meta["latchfs-attrs"]) != 8 {
		t.Errorf("digest %q", meta["latchfs-attrs"])
	}
	delete(meta, "latchfs-attrs")
	want := map[string]string{"colour": "red", "file-permissions": "0100664", "file-owner": "1000", "file-group": "4294967295",
		"file-mtime": "1595002920123456789ns", "file-atime": "-1000000000ns"}
	if err != nil || !maps.Equal(meta, want) {
		t.Errorf("%v, %v\nwant %v", meta, err, want)
	}
	if len(foreign) != 1 {
		t.Errorf("the caller's map was changed: %v", foreign)
	}
	got := store.ReadPosix(meta)
	if !got.Mtime.Equal(p.Mtime) || !got.Atime.Equal(p.Atime) || got.Mode != p.Mode || got.UID != p.UID || got.GID != p.GID || got.Has != all {
		t.Errorf("read back %+v", got)
	}
	for _, c := range []struct{ set, want time.Time }{
		{time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, math.MinInt64)},
		{time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, math.MaxInt64)},
	} {
		meta, _ := store.Posix{Mtime: c.set, Has: store.HasMtime}.Put(nil)
		if got := store.ReadPosix(meta).Mtime; !got.Equal(c.want) {
			t.Errorf("%v is kept as %v", c.set, got)
		}
	}
}

func TestPosixRead(t *testing.T) {
	at := time.Unix(1700000000, 120000000)
	for name, c := range map[string]struct {
		meta map[string]string
		want store.Posix
	}{
		"nothing":       {nil, store.Posix{}},
		"milliseconds":  {map[string]string{"file-mtime": "1700000000120"}, store.Posix{Mtime: at, Has: store.HasMtime}},
		"s3fs":          {map[string]string{"mode": "33188", "uid": "5", "gid": "6", "mtime": "1700000000.120000000", "atime": "1700000000"}, store.Posix{Mode: 0o100644, UID: 5, GID: 6, Mtime: at, Atime: time.Unix(1700000000, 0), Has: all}},
		"s3fs symlink":  {map[string]string{"mode": "41471"}, store.Posix{Mode: 0o120777, Has: store.HasMode}},
		"rclone":        {map[string]string{"mtime": "1700000000.12"}, store.Posix{Mtime: at, Has: store.HasMtime}},
		"rclone full":   {map[string]string{"mode": "100644", "mtime": at.UTC().Format(time.RFC3339Nano)}, store.Posix{Mode: 0o100644, Mtime: at, Has: store.HasMode | store.HasMtime}},
		"before 1970":   {map[string]string{"mtime": "-1.5"}, store.Posix{Mtime: time.Unix(-2, 5e8), Has: store.HasMtime}},
		"ours wins":     {map[string]string{"mode": "33188", "file-permissions": "0100600", "mtime": "1", "file-mtime": "2000000000ns"}, store.Posix{Mode: 0o100600, Mtime: time.Unix(2, 0), Has: store.HasMode | store.HasMtime}},
		"damaged":       {map[string]string{"mode": "rw", "uid": "-1", "gid": "4294967296", "mtime": "yesterday", "file-atime": "ns"}, store.Posix{}},
		"mode too wide": {map[string]string{"file-permissions": "0200000"}, store.Posix{}},
		"bad fraction":  {map[string]string{"mtime": "1.x"}, store.Posix{}},
	} {
		got := store.ReadPosix(c.meta)
		same := got.Mtime.Equal(c.want.Mtime) && got.Atime.Equal(c.want.Atime)
		got.Mtime, got.Atime = c.want.Mtime, c.want.Atime
		if got.Mode *= b2u(got.Has&store.HasMode != 0); !same && c.want.Has != 0 || got.Has != c.want.Has || c.want.Has != 0 && got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func b2u(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// Tools that read other keys see the new values in their own form.
func TestPosixForeignInStep(t *testing.T) {
	p := store.Posix{Mode: 0o100600, UID: 7, GID: 8, Mtime: time.Unix(1800000000, 5), Atime: time.Unix(-2, 5e8), Has: all}
	for _, c := range []struct{ old, want map[string]string }{
		{map[string]string{"mode": "33188", "uid": "5", "gid": "6", "mtime": "1700000000"}, map[string]string{"mode": "33152", "uid": "7", "gid": "8", "mtime": "1800000000"}},
		{map[string]string{"mode": "100644", "mtime": "1700000000.12", "atime": "1.5"}, map[string]string{"mode": "33152", "mtime": "1800000000.000000005", "atime": "-1.500000000"}},
		{map[string]string{"mtime": "2023-11-14T22:13:20Z", "ctime": "1700000000.5"}, map[string]string{"mtime": "2027-01-15T08:00:00.000000005Z", "ctime": ""}},
	} {
		meta, err := p.Put(c.old)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range c.want {
			if meta[name] != want {
				t.Errorf("%s was %q and is %q, want %q", name, c.old[name], meta[name], want)
			}
		}
		for _, name := range []string{"mode", "uid", "gid", "mtime", "atime", "ctime"} {
			if _, was := c.old[name]; !was && meta[name] != "" {
				t.Errorf("%s was not there and is %q", name, meta[name])
			}
		}
		for name := range meta { // what those tools read is what we read
			if strings.HasPrefix(name, "file-") {
				delete(meta, name)
			}
		}
		if got := store.ReadPosix(meta); got.Has&store.HasMtime != 0 && c.old["mtime"] != "1700000000" && !got.Mtime.Equal(p.Mtime) || got.Has&store.HasAtime != 0 && !got.Atime.Equal(p.Atime) || got.Has&store.HasMode != 0 && got.Mode != p.Mode {
			t.Errorf("read back %+v", got)
		}
	}
}

// SEMANTICS Metadata: where a foreign object leaves little room, atime goes first, then the
// ids; mode and mtime stay or nothing is written.
func TestPosixLimit(t *testing.T) {
	p := store.Posix{Mode: 0o100644, UID: 1000000000, GID: 1000000000, Mtime: time.Unix(1700000000, 0), Atime: time.Unix(1700000000, 0), Has: all}
	dropped := map[store.PosixField]bool{}
	full := false
	for n := range 2048 {
		meta, err := p.Put(map[string]string{"x": strings.Repeat("x", n)})
		if err != nil {
			if !errors.Is(err, store.ErrMetadataFull) {
				t.Fatal(err)
			}
			full = true
			continue
		}
		has := store.ReadPosix(meta).Has
		if full {
			t.Fatalf("%d bytes fit after fewer did not", n)
		}
		if has&(store.HasMode|store.HasMtime) != store.HasMode|store.HasMtime || has&store.HasAtime != 0 && has != all || has == all&^store.HasUID {
			if has != all&^store.HasUID&^store.HasAtime {
				t.Fatalf("with %d foreign bytes %b is left", n, has)
			}
		}
		dropped[all&^has] = true
		if _, ok := meta["x"]; !ok {
			t.Fatal("a foreign key was dropped")
		}
	}
	for _, d := range []store.PosixField{0, store.HasAtime, store.HasAtime | store.HasUID, store.HasAtime | store.HasUID | store.HasGID} {
		if !dropped[d] {
			t.Errorf("never dropped %b alone", d)
		}
	}
	if !full {
		t.Error("never full")
	}
}

// What the kernel compares changes with the content, and is never in the next second.
func TestModTime(t *testing.T) {
	second := time.Date(2026, 11, 22, 18, 29, 5, 0, time.UTC)
	a, b := store.Info{ETag: "aaa", LastModified: second}, store.Info{ETag: "bbb", LastModified: second}
	if a.ModTime().Equal(b.ModTime()) {
		t.Error("two contents have the same mtime")
	}
	for _, i := range []store.Info{a, b} {
		if m := i.ModTime(); !m.Truncate(time.Second).Equal(second) || !m.Equal(i.ModTime()) {
			t.Errorf("mtime %v of an object of %v", m, second)
		}
	}
	// A listing may know more of the time than HEAD does.
	listed := a
	listed.LastModified = second.Add(250 * time.Millisecond)
	if !listed.ModTime().Equal(a.ModTime()) {
		t.Error("listing and HEAD give different mtimes")
	}
	a.Props.Meta = map[string]string{"file-mtime": "5ns"}
	if !a.ModTime().Equal(time.Unix(0, 5)) {
		t.Errorf("mtime %v", a.ModTime())
	}
	if !(store.Info{ETag: "a"}).ModTime().IsZero() {
		t.Error("no time gave an mtime")
	}
}

func TestBaseSame(t *testing.T) {
	at := time.Date(2026, 11, 22, 18, 29, 5, 0, time.UTC)
	b := func(etag, version string, t time.Time) store.Base {
		return store.Base{ETag: etag, VersionID: version, LastModified: t}
	}
	for _, c := range []struct {
		a, b store.Base
		same bool
	}{
		{store.Base{}, store.Base{}, true},
		{store.Base{}, b("e", "v", at), false},
		{b("e", "v", at), b("e", "v", at.Add(time.Hour)), true}, // the time is not its identity
		{b("e", "v", at), b("e", "w", at), false},               // the same bytes put back
		{b("e", "v", at), b("e", "", at), false},
		{b("e", "", at), b("e", "", at.Add(time.Millisecond)), true},
		{b("e", "", at), b("e", "", at.Add(time.Second)), false},
		{b("e", "", at), b("f", "", at), false},
		{b("e", "", at), b("e", "null", at), true}, // versioning was switched on
		{b("e", "null", at), b("e", "null", at.Add(time.Second)), false},
	} {
		if c.a.Same(c.b) != c.same || c.b.Same(c.a) != c.same {
			t.Errorf("%v and %v: same is %v", c.a, c.b, !c.same)
		}
	}
}
