package volume

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/procfs"
	"github.com/latchfs/latchfs/internal/registry"
)

// A world is a host that exists in this test only.
type world struct {
	links   map[string]string
	asked   []string // paths whose link was read
	mounts  []procfs.Mount
	entries []registry.Found
}

func newWorld() *world {
	ours := func(device, root, at, user string) procfs.Mount {
		return procfs.Mount{Device: device, Root: root, Mountpoint: at, Type: mountType, Options: "rw,user_id=" + user}
	}
	entry := func(device, at, source string, live bool) registry.Found {
		return registry.Found{Live: live, Entry: registry.Entry{Device: device, Mountpoint: at, Source: source, StateDir: "/state/" + device,
			Region: "r", Profile: "p", Endpoint: "http://e", PathStyle: true}}
	}
	return &world{
		links: map[string]string{"/users/me/link": "../../mnt/all/d", "/mnt/all/sym": "d/e", "/mnt/all/out": "/etc", "/loop": "/loop", "/users/me/at@x": "/mnt/all"},
		mounts: []procfs.Mount{
			{Device: "0:1", Root: "/", Mountpoint: "/", Type: "ext4"},
			ours("0:50", "/", "/mnt/all", "7"),
			ours("0:51", "/", "/mnt/part", "7"),
			ours("0:50", "/d/with space", "/srv/bound", "7"),
			ours("0:52", "/", "/mnt/theirs", "8"),
			ours("0:53", "/", "/mnt/unknown", "8"),
			ours("0:54", "/", "/mnt/dead", "7"),
			ours("0:55", "/", "/mnt/reused", "7"),
			ours("0:56", "/", "/mnt/named", "7"),
			ours("0:57", "/", "/mnt/at@home", "7"),
			{Device: "0:2", Root: "/", Mountpoint: "/mnt/all/other", Type: "tmpfs"},
			ours("0:51", "/", "/mnt/covered", "7"),
			{Device: "0:2", Root: "/", Mountpoint: "/mnt/covered", Type: "tmpfs"},
			{Device: "0:2", Root: "/", Mountpoint: "/mnt/covering", Type: "tmpfs"},
			ours("0:51", "/", "/mnt/covering", "7"),
		},
		entries: []registry.Found{
			entry("0:50", "/mnt/gone", "s3://old/", false),
			entry("0:50", "/mnt/all", "s3://bucket/", true),
			entry("0:51", "/mnt/part", "s3://bucket/pre/fix/", true),
			entry("0:52", "/mnt/theirs", "s3://bucket/", true),
			entry("0:54", "/mnt/dead", "s3://bucket/", false),
			entry("0:55", "/mnt/before", "s3://bucket/", false),
			{Live: true, Entry: registry.Entry{Device: "0:56", Mountpoint: "/mnt/named", Source: "s3://bucket/", VersionsDir: "_v"}},
			{Live: true, Entry: registry.Entry{Device: "0:57", Mountpoint: "/mnt/at@home", Source: "s3://bucket/", VersionsDir: "off"}},
		},
	}
}

func (w *world) host() host {
	return host{
		uid: 7, wd: func() (string, error) { return "/mnt/all/d", nil },
		readlink: func(path string) (string, error) {
			w.asked = append(w.asked, path)
			if target, ok := w.links[path]; ok {
				return target, nil
			}
			return "", unix.EINVAL
		},
		mounts:  func() ([]procfs.Mount, error) { return w.mounts, nil },
		entries: func() []registry.Found { return w.entries },
	}
}

func TestPathsBelowMounts(t *testing.T) {
	for path, want := range map[string]string{
		"/mnt/all":                              "",
		"/mnt/all/":                             "",
		"/mnt/all/f":                            "f",
		"/mnt/all/d/":                           "d/",
		"/mnt/all//d/./x/../f":                  "d/f",
		"f":                                     "d/f",
		".":                                     "d",
		"./":                                    "d/",
		"../f":                                  "f",
		"../../part/f":                          "pre/fix/f",
		"/mnt/part":                             "pre/fix/",
		"/mnt/part/gone/f":                      "pre/fix/gone/f",
		"/users/me/link/f":                      "d/f",
		"/users/me/link":                        "d",
		"/users/me/link/..":                     "",
		"/mnt/all/sym":                          "sym", // the link itself
		"/mnt/all/sym/":                         "d/e/",
		"/mnt/all/sym/f":                        "d/e/f",
		"/srv/bound/f":                          "d/with space/f",
		"/srv/bound/..":                         "error: not below a mount",
		"/mnt/dead/f":                           "f",
		"/mnt/reused/f":                         "error: s3://bucket/key",
		"/mnt/unknown/f":                        "error: by user 8",
		"/mnt/all/other/f":                      "error: not below a mount",
		"/mnt/all/out/f":                        "error: not below a mount",
		"/mnt/covered/f":                        "error: not below a mount",
		"/mnt/covering/f":                       "pre/fix/f",
		"/mnt/allways":                          "error: not below a mount",
		"/other/f":                              "error: not below a mount",
		"/loop/f":                               "error: too many levels",
		"":                                      "error: is empty",
		"/mnt/all/.versions":                    "",
		"/mnt/all/d/.versions":                  "d/",
		"/mnt/all/d/.versions/f":                "d/f",
		"/mnt/all/d/.versions/g/":               "d/g/",
		"/mnt/named/.versions/f/v":              ".versions/f/v",
		"/mnt/named/_v/f/v":                     "f v",
		"/mnt/at@home/.versions/f":              ".versions/f",
		"/mnt/all/.versions/f/v":                "f v",
		"/mnt/part/.versions/f/v~x":             "pre/fix/f v~x",
		"/mnt/all/.versions/f/@2h":              "f 2h",
		"/mnt/all/.versions/f/@prev":            "f ~1",
		"/mnt/all/.versions/gone/.versions/f/v": "gone/f v",
		"/mnt/all/.versions/a/.versions/b/.versions": "a/b/",
		"/mnt/all/.versions/@":                       "",
		"/mnt/all/d/.versions/@/2h":                  "d/ 2h",
		"/mnt/all/d/.versions/@/2h/x/f":              "d/x/f 2h",
		"/mnt/all/.versions/f/v/x":                   "error: no directory",
	} {
		got, err := newWorld().host().target(path)
		text := strings.TrimSpace(got.Key + " " + got.Rev)
		if wanted, ok := strings.CutPrefix(want, "error: "); ok {
			if err == nil || !strings.Contains(err.Error(), wanted) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %q, %v; want an error with %q", path, text, err, wanted)
			}
			continue
		}
		if err != nil || text != want {
			t.Errorf("%q: %q, %v; want %q", path, text, err, want)
		}
		if view := strings.Contains(path, "/.versions") && text != ".versions/f/v" && text != ".versions/f" || strings.Contains(path, "/_v"); got.View != view {
			t.Errorf("%q: in a view of versions is %v", path, got.View)
		}
		if got.Rev != "" && got.Zone != time.UTC {
			t.Errorf("%q: a time in a path is in zone %v", path, got.Zone)
		}
	}
}

// A mount that was unmounted lives on while it saves, and the kernel gives its number to the next
// mount: a command below that one must not work on the bucket of the other.
func TestNumberOfAMountThatStillSaves(t *testing.T) {
	began := time.Date(2026, 11, 22, 18, 29, 5, 0, time.UTC)
	saving := registry.Found{Live: true, Since: began, Entry: registry.Entry{Device: "0:58", Mountpoint: "/mnt/a", Source: "s3://saving/"}}
	for name, tt := range map[string]struct {
		now  registry.Found
		want string // the bucket
	}{
		"at another place":   {registry.Found{Live: true, Since: began.Add(time.Hour), Entry: registry.Entry{Device: "0:58", Mountpoint: "/mnt/b", Source: "s3://mounted/"}}, "mounted"},
		"at the same place":  {registry.Found{Live: true, Since: began.Add(time.Hour), Entry: registry.Entry{Device: "0:58", Mountpoint: "/mnt/a", Source: "s3://mounted/"}}, "mounted"},
		"moved since":        {registry.Found{Live: true, Since: began.Add(time.Hour), Entry: registry.Entry{Device: "0:58", Mountpoint: "/mnt/old", Source: "s3://mounted/"}}, "mounted"},
		"dead at its place":  {registry.Found{Since: began.Add(time.Hour), Entry: registry.Entry{Device: "0:58", Mountpoint: "/mnt/b", Source: "s3://mounted/"}}, "mounted"},
		"dead and not there": {registry.Found{Since: began.Add(time.Hour), Entry: registry.Entry{Device: "0:58", Mountpoint: "/mnt/gone", Source: "s3://dead/"}}, "saving"},
	} {
		at := "/mnt/b"
		if name == "at the same place" {
			at = "/mnt/a"
		}
		for _, entries := range [][]registry.Found{{saving, tt.now}, {tt.now, saving}} {
			w := newWorld()
			w.mounts = append(w.mounts, procfs.Mount{Device: "0:58", Root: "/", Mountpoint: at, Type: mountType, Options: "rw,user_id=7"})
			w.entries = entries
			if got, err := w.host().target(at + "/f"); err != nil || got.Source.Bucket != tt.want {
				t.Errorf("%s: bucket %q, %v; want %q", name, got.Source.Bucket, err, tt.want)
			}
		}
	}
}

// How the bucket is reached comes from the mount; the profile only of one's own.
func TestAccessOfAMount(t *testing.T) {
	access := Access{Region: "r", Profile: "p", Endpoint: "http://e", PathStyle: true}
	got, err := newWorld().host().target("/mnt/part/f")
	if err != nil || got.Access != access || got.Mountpoint != "/mnt/part" || got.StateDir != "/state/0:51" || got.Source != (Source{Bucket: "bucket", Prefix: "pre/fix/"}) {
		t.Errorf("%+v, %v", got, err)
	}
	access.Profile = ""
	if got, err := newWorld().host().target("/mnt/theirs/f"); err != nil || got.Access != access {
		t.Errorf("a mount of another user: %+v, %v; want no profile", got.Access, err)
	}
	over := Access{Region: "x", DynamoDBEndpoint: "d"}.over(Access{Region: "r", Profile: "p", Endpoint: "e", PathStyle: true})
	if want := (Access{Region: "x", Profile: "p", Endpoint: "e", DynamoDBEndpoint: "d", PathStyle: true}); over != want {
		t.Errorf("flags go before the mount: %+v, want %+v", over, want)
	}
}

// A path in a view of versions is read without the mount that shows it, which may be dead.
func TestViewsAreNotAsked(t *testing.T) {
	w := newWorld()
	if _, err := w.host().target("/mnt/all/d/.versions/@/2h/x/f"); err != nil {
		t.Fatal(err)
	}
	for _, path := range w.asked {
		if strings.Contains(path, versionsName) {
			t.Errorf("asked for the link at %s", path)
		}
	}
}

func TestWithKey(t *testing.T) {
	for _, tt := range []struct{ path, key, want string }{
		{"/mnt/all/f", "d/x", "/mnt/all/d/x"},
		{"/mnt/part/f", "pre/fix/x", "/mnt/part/x"},
		{"/mnt/part/f", "x", "s3://bucket/x"},
		{"/srv/bound/f", "d/with space/x", "/srv/bound/x"},
		{"/srv/bound/f", "e/x", "s3://bucket/e/x"},
	} {
		target, err := newWorld().host().target(tt.path)
		if got := target.WithKey(tt.key); err != nil || got != tt.want {
			t.Errorf("%s: key %s is %q, %v; want %q", tt.path, tt.key, got, err, tt.want)
		}
	}
	if got := (Target{Source: Source{Local: "/data", Bucket: "data"}}).WithKey("a/b"); got != "local:/data/a/b" {
		t.Errorf("of a folder: %q", got)
	}
}

func TestPathErrors(t *testing.T) {
	broken := errors.New("broken")
	h := newWorld().host()
	h.mounts = func() ([]procfs.Mount, error) { return nil, broken }
	if _, err := h.target("/mnt/all/f"); !errors.Is(err, broken) {
		t.Errorf("no mounts: %v", err)
	}
	h = newWorld().host()
	h.wd = func() (string, error) { return "", broken }
	if _, err := h.target("f"); !errors.Is(err, broken) {
		t.Errorf("no working directory: %v", err)
	}
	w := newWorld() // as in a chroot, where no mount is at /
	w.mounts = w.mounts[1:]
	maps.Copy(w.links, map[string]string{"/link": "/mnt/all"})
	if got, err := w.host().target("/link/f"); err != nil || got.Key != "f" {
		t.Errorf("without a root: %q, %v", got.Key, err)
	}
	if _, err := thisHost().target(os.TempDir() + fmt.Sprint("/none", os.Getpid())); err == nil {
		t.Error("a path on this host that is on no mount of ours has no error")
	}
}
