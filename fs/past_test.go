package fs

import (
	"fmt"
	"math/rand/v2"
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
				at      time.Time
				all, of string
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
