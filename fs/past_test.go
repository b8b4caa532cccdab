package fs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/internal/when"
)

// picture shows everything below a directory: names, types, modes, owners, and of files the times and
// the content.
func (w *world) picture(node uint64, path string) string {
	w.t.Helper()
	var s strings.Builder
	names, _ := w.entries(node)
	for _, name := range names {
		out, st := w.lookup(node, name)
		w.ok("lookup "+path+name, st)
		n, a := out.NodeId, out.Attr
		fmt.Fprintf(&s, "%s%s %o %d:%d", path, name, a.Mode, a.Uid, a.Gid)
		if a.Mode&file.ModeType == file.ModeDir {
			s.WriteString("\n" + w.picture(n, path+name+"/"))
			continue
		}
		fmt.Fprintf(&s, " %d %d.%09d ", a.Size, a.Mtime, a.Mtimensec)
		if a.Mode&file.ModeType == file.ModeSymlink {
			fmt.Fprintf(&s, "-> %s\n", w.readlink(n))
			continue
		}
		d := w.open(n, unix.O_RDONLY)
		fmt.Fprintf(&s, "%q\n", w.read(d))
		w.release(d)
	}
	return s.String()
}

// past gives the node of a directory of the mount as it stood at a time; dir is "" or ends in a slash.
func (w *world) past(dir string, at time.Time) uint64 {
	w.t.Helper()
	return w.walk(dir + ".versions/@/" + when.Path(at))
}

// Whatever this host and others do, a time shows what the mount showed then: names, types, modes,
// owners, times, contents; also in the view of a directory below, and in one that is deleted.
// SEMANTICS ".versions/"
func TestPastShowsWhatWas(t *testing.T) {
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 5))
			w := newWorld(t)
			type shot struct {
				at        time.Time
				all, of   string
				dirExists bool
			}
			var shots []shot
			d := w.mkdir(root, "d")
			w.mkdir(d, "e")
			names := []string{"f", "g", "h"}
			change := func() {
				dir, key := uint64(root), ""
				if r.IntN(2) == 0 {
					dir, key = w.walk("d"), "d/"
				}
				name := names[r.IntN(len(names))]
				_, s := w.lookup(dir, name)
				there := s.Ok()
				switch r.IntN(7) {
				case 0, 1:
					if !there {
						w.close(w.create(dir, name))
						return
					}
					f := w.open(w.find(dir, name), unix.O_RDWR)
					w.write(f, r.IntN(5), fmt.Sprint(r.IntN(1000)))
					w.close(f)
				case 2:
					if there {
						w.chmod(w.find(dir, name), uint32(0o600+r.IntN(0o100)))
					}
				case 3:
					if there {
						w.ok("unlink", w.unlink(dir, name))
					}
				case 4:
					if to := names[r.IntN(len(names))]; there && to != name {
						w.ok("rename", w.rename(dir, name, w.walk("d"), to))
					}
				case 5:
					w.bucket.PutForeign(key+name, fmt.Sprint("foreign ", r.IntN(1000)))
				case 6:
					sub := []string{"f/x", "bare/y", "bare/z/.versions"}[r.IntN(3)]
					if r.IntN(2) == 0 {
						w.bucket.PutForeign(key+sub, "below")
					} else {
						w.bucket.DeleteForeign(key + sub)
					}
				}
			}
			w.symlink("d/f", "link")
			for range 60 {
				time.Sleep(testTTL)
				if n, s := w.lookup(root, "f"); s.Ok() && n.Mode&file.ModeType == file.ModeDir {
					w.deleteAll("f/x")
				}
				if n, s := w.lookup(w.walk("d"), "f"); s.Ok() && n.Mode&file.ModeType == file.ModeDir {
					w.deleteAll("d/f/x")
				}
				time.Sleep(testTTL)
				change()
				time.Sleep(2 * testTTL)
				shots = append(shots, shot{at: time.Now(), all: w.picture(root, ""), of: w.picture(w.walk("d"), "")})
				time.Sleep(time.Duration(r.IntN(3)) * time.Second)
			}
			w.bucket.DeleteForeign("d/")
			for _, key := range w.bucket.Keys() {
				w.bucket.DeleteForeign(key)
			}
			time.Sleep(5 * time.Minute)
			r.Shuffle(len(shots), func(i, j int) { shots[i], shots[j] = shots[j], shots[i] })
			for _, s := range shots {
				if got := w.picture(w.past("", s.at), ""); got != s.all {
					t.Fatalf("seed %d, at %v:\n%s\nwant\n%s", seed, s.at, got, s.all)
				}
				if got := w.picture(w.past(".versions/d/", s.at), ""); got != s.of {
					t.Fatalf("seed %d, the deleted directory at %v:\n%s\nwant\n%s", seed, s.at, got, s.of)
				}
			}
		})
	}
}

// The times that are listed: the hours of a day, the days of a month, the months of five years.
func TestGrid(t *testing.T) {
	for _, now := range []time.Time{
		time.Date(2026, 11, 22, 18, 29, 5, 7, time.UTC), time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 31, 23, 59, 59, 0, time.UTC),
	} {
		times := grid(now.In(time.FixedZone("east", 3600)))
		if !slices.IsSortedFunc(times, time.Time.Compare) || times[len(times)-1].After(now) {
			t.Errorf("%v: not in order, or in the future", now)
		}
		var hours, days, months int
		for _, at := range times {
			switch {
			case !at.Equal(at.Truncate(time.Hour)):
				t.Errorf("%v: %v is no full hour", now, at)
			case at.Day() == 1 && at.Hour() == 0:
				months++
			case at.Hour() == 0:
				days++
			default:
				hours++
			}
		}
		if hours != 23 || days < 27 || days > 30 || months < 60 || months > 61 {
			t.Errorf("%v: %d hours, %d days, %d months", now, hours, days, months)
		}
		if first := times[0]; first.After(now.AddDate(-5, 1, 0)) || first.Before(now.AddDate(-5, 0, 0)) {
			t.Errorf("%v: begins with %v", now, first)
		}
	}
}

// Listing the times asks the bucket for nothing; each of them can be looked up.
func TestTimesAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.save("f", "x")
		time.Sleep(time.Hour)
		at := w.walk(".versions/@")
		before := w.bucket.Requests()
		names, numbers := w.entries(at)
		if got := w.bucket.Requests(); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Errorf("%v were sent, and %v before", got, before)
		}
		if len(names) < 100 || len(names) > 120 {
			t.Errorf("%d times", len(names))
		}
		for _, name := range names {
			if n := w.find(at, name); w.inode(n) != numbers[name] {
				t.Errorf("%s has number %d, readdir says %d", name, w.inode(n), numbers[name])
			}
		}
		if got := w.list(w.walk(".versions")); strings.Contains(got, "@") {
			t.Errorf(".versions lists %q", got)
		}
		past := w.past("", time.Now())
		_, numbers = w.entries(past)
		if f := w.inode(w.find(past, "f")); f != numbers["f"] || f == w.inode(w.find(root, "f")) {
			t.Errorf("f has the numbers %d and, in readdir, %d", f, numbers["f"])
		}
	})
}

// Other forms of a time are symlinks to it; what is none is not there.
func TestFormsOfATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		time.Sleep(24 * time.Hour)
		at := w.walk(".versions/@")
		now := time.Now()
		for name, want := range map[string]time.Time{
			"2h": now.Add(-2 * time.Hour), "-90m": now.Add(-90 * time.Minute), "yesterday": now.AddDate(0, 0, -1),
			"2000-01-01": now.AddDate(0, 0, -1), "2000-01-01T02:00:00+02:00": now.AddDate(0, 0, -1),
		} {
			n := w.find(at, name)
			if got := w.readlink(n); got != when.Path(want) {
				t.Errorf("%s leads to %s, want %s", name, got, when.Path(want))
			}
			if a := w.attr(n); a.Mode != unix.S_IFLNK|0o777 || int(a.Size) != len(when.Path(want)) {
				t.Errorf("%s: mode %o, size %d", name, a.Mode, a.Size)
			}
		}
		for _, name := range []string{"tomorrow", "2h ago", "f", when.Path(now.Add(time.Hour)), "1969-01-01", ".versions", "..."} {
			w.missing(at, name)
		}
		w.missing(w.past("", now), ".versions")
		w.missing(w.past("", now), "none")
	})
}

// An age means one time as long as it is in use, and not for too long.
func TestAgesInUse(t *testing.T) {
	a := ages{m: make(map[string]moment)}
	begin := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	means := func(name string, after, want time.Duration) {
		t.Helper()
		got, err := a.moment(name, begin.Add(after))
		if err != nil || !got.Equal(begin.Add(want)) {
			t.Errorf("%s after %v: %v later than at first, %v; want %v", name, after, got.Sub(begin), err, want)
		}
	}
	means("2h", 0, -2*time.Hour)
	means("2h", 59*time.Second, -2*time.Hour)
	means("1m", 59*time.Second, -time.Second)
	means("2h", 118*time.Second, -2*time.Hour)
	means("1m", 118*time.Second, -time.Second)
	means("1m", 119*time.Second, 59*time.Second)
	means("2h", 177*time.Second, -2*time.Hour)
	for s := 210; s < 360; s += 40 {
		means("2h", time.Duration(s)*time.Second, -2*time.Hour)
	}
	means("2h", 6*time.Minute, -2*time.Hour+6*time.Minute) // it was in use for long
	means("2h", 7*time.Minute, -2*time.Hour+7*time.Minute) // it was not in use
	for i := range 3 * maxAges {
		means(fmt.Sprintf("%dh", i+3), 7*time.Minute, 7*time.Minute-time.Duration(i+3)*time.Hour)
		if len(a.m) > maxAges {
			t.Fatalf("%d ages are kept", len(a.m))
		}
	}
	if _, err := a.moment("nonsense", begin); err == nil {
		t.Error("nonsense is a time")
	}
}

// Nothing of the past can be changed.
func TestPastIsReadOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.save("f", "x")
		w.close(w.create(w.mkdir(root, "d"), "g"))
		time.Sleep(time.Minute)
		dir := w.past("", time.Now())
		f := w.find(dir, "f")
		h := header(dir)
		var entry fuse.EntryOut
		var attr fuse.AttrOut
		set := fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{InHeader: header(f), Valid: fuse.FATTR_MODE, Mode: 0o777}}
		_, _, wronly := w.tryOpen(f, unix.O_WRONLY)
		_, _, trunc := w.tryOpen(f, unix.O_RDONLY|unix.O_TRUNC)
		for what, s := range map[string]fuse.Status{
			"open for write": wronly,
			"open O_TRUNC":   trunc,
			"create":         w.raw.Create(nil, &fuse.CreateIn{InHeader: h, Flags: unix.O_RDWR}, "new", &fuse.CreateOut{}),
			"mkdir":          w.raw.Mkdir(nil, &fuse.MkdirIn{InHeader: h}, "new", &entry),
			"mknod":          w.raw.Mknod(nil, &fuse.MknodIn{InHeader: h, Mode: unix.S_IFREG}, "new", &entry),
			"symlink":        w.raw.Symlink(nil, &h, "x", "new", &entry),
			"link":           w.raw.Link(nil, &fuse.LinkIn{InHeader: h, Oldnodeid: f}, "new", &entry),
			"unlink":         w.unlink(dir, "f"),
			"rmdir":          w.rmdir(dir, "d"),
			"rename":         w.rename(dir, "f", dir, "new"),
			"rename out":     w.rename(dir, "f", root, "new"),
			"chmod":          w.raw.SetAttr(nil, &set, &attr),
			"setxattr":       w.raw.SetXAttr(nil, &fuse.SetXAttrIn{InHeader: header(f)}, "user.x", []byte("x")),
		} {
			if s != fuse.Status(unix.EROFS) {
				t.Errorf("%s: %v", what, s)
			}
		}
		if got, want := w.picture(w.past("", time.Now()), ""), w.picture(root, ""); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	})
}

// asUser sends a request as a user who has a group of the same number.
func asUser(node uint64, uid uint32) fuse.InHeader {
	return fuse.InHeader{NodeId: node, Caller: fuse.Caller{Owner: fuse.Owner{Uid: uid, Gid: uid}, Pid: uid}}
}

// Who reads something of the past has the right to read it now, and to search the directories on
// the way, as they are now and as they were then. Who lists a directory of the past may list it now.
// SEMANTICS ".versions/"
func TestRightsInThePast(t *testing.T) {
	const link = unix.S_IFLNK | 0o777
	base := func(w *world) {
		w.putAs("d/", 0o755, 1000)
		w.putAs("d/e/", 0o755, 1000)
		w.putAs("d/e/f", 0o644, 1000)
		w.putAs("d/e/l", link, 1000)
	}
	for _, tt := range []struct {
		name                string
		make, then          func(w *world)
		reads, links, lists string // who may: root, the owner and another user
	}{
		{"as it is", base, func(*world) {}, "0 1000 1001", "0 1000 1001", "0 1000 1001"},
		{"the file is private now", base, func(w *world) { w.putAs("d/e/f", 0o600, 1000) }, "0 1000", "0 1000 1001", "0 1000 1001"},
		{"the directory is private now", base, func(w *world) { w.putAs("d/e/", 0o700, 1000) }, "0 1000", "0 1000", "0 1000"},
		{"the directory can only be searched now", base, func(w *world) { w.putAs("d/e/", 0o711, 1000) }, "0 1000 1001", "0 1000 1001", "0 1000"},
		{"the one above is private now", base, func(w *world) { w.putAs("d/", 0o700, 1000) }, "0 1000", "0 1000", "0 1000"},
		{"the one above was private then", func(w *world) { base(w); w.putAs("d/", 0o700, 1000) },
			func(w *world) { w.putAs("d/", 0o755, 1000) }, "0 1000", "0 1000", "0 1000 1001"},
		{"all is deleted", base, func(w *world) { w.deleteAll("d/e/f", "d/e/l", "d/e/", "d/") }, "0 1000 1001", "0 1000 1001", "0 1000 1001"},
		{"all is deleted, and was private", base, func(w *world) {
			w.putAs("d/", 0o700, 1000)
			w.deleteAll("d/e/f", "d/e/l", "d/e/", "d/")
		}, "0 1000", "0 1000", "0 1000"},
		{"another user made it again after it was private", base, func(w *world) {
			w.putAs("d/e/", 0o700, 1000)
			w.deleteAll("d/e/f", "d/e/l", "d/e/")
			w.putAs("d/e/", 0o755, 1001)
			w.putAs("d/e/f", 0o644, 1001)
		}, "0 1000", "0 1000", "0 1000"},
		{"the link is a private file now", base, func(w *world) { w.putAs("d/e/l", 0o600, 1000) }, "0 1000 1001", "0 1000", "0 1000 1001"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newSharedWorld(t)
			tt.make(w)
			at := time.Now()
			time.Sleep(time.Hour)
			tt.then(w)
			time.Sleep(testTTL)
			dir := w.past("", at)
			e := w.find(w.find(dir, "d"), "e")
			f, l := w.find(e, "f"), w.find(e, "l")
			var reads, links, lists []string
			note := func(who *[]string, uid uint32, s fuse.Status) {
				if s.Ok() {
					*who = append(*who, fmt.Sprint(uid))
				} else if s != fuse.EACCES {
					t.Errorf("%s: user %d: %v", tt.name, uid, s)
				}
			}
			for _, uid := range []uint32{0, 1000, 1001} {
				note(&reads, uid, w.opens(f, uid))
				h := asUser(l, uid)
				_, s := w.raw.Readlink(nil, &h)
				note(&links, uid, s)
				var out fuse.OpenOut
				s = w.raw.OpenDir(nil, &fuse.OpenIn{InHeader: asUser(e, uid)}, &out)
				note(&lists, uid, s)
			}
			for what, p := range map[string][2]string{
				"reads": {strings.Join(reads, " "), tt.reads}, "links": {strings.Join(links, " "), tt.links}, "lists": {strings.Join(lists, " "), tt.lists},
			} {
				if p[0] != p[1] {
					t.Errorf("%s: %s: %s may, want %s", tt.name, what, p[0], p[1])
				}
			}
			if mode, _ := w.mode(f); mode != "100644 1000" {
				t.Errorf("%s: the file shows %s", tt.name, mode)
			}
		})
	}
}

// A whole mount can be as of a time.
func TestMountAsOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.save("f", "one")
		w.mkdir(root, "d")
		time.Sleep(time.Second)
		w.close(w.create(w.walk("d"), "g"))
		time.Sleep(time.Second)
		want, at := w.picture(root, ""), time.Now()
		time.Sleep(time.Second)
		w.save("h", "later")
		w.unlink(root, "f")
		time.Sleep(time.Hour)
		w.front.asOf = at
		w.raw = w.front.serve(w.kernel)
		if got := w.picture(root, ""); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
		w.missing(root, ".versions")
		if s := w.unlink(root, "f"); s != fuse.Status(unix.EROFS) {
			t.Errorf("unlink: %v", s)
		}
		var st fuse.StatfsOut
		h := header(root)
		w.ok("statfs", w.raw.StatFs(nil, &h, &st))
		if st.Blocks == 0 {
			t.Error("statfs says nothing")
		}
	})
}
