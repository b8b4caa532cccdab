package registry

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDir(t *testing.T) {
	for _, tt := range []struct {
		uid           int
		runtime, want string
	}{
		{0, "", "/run/latchfs"},
		{0, "/run/user/1000", "/run/latchfs"}, // sudo may pass it on
		{1000, "/run/user/1000", "/run/user/1000/latchfs"},
		{1000, "", ""},
		{1000, "relative", ""},
	} {
		if got := dirOf(tt.uid, tt.runtime); got != tt.want {
			t.Errorf("user %d, %q: %q, want %q", tt.uid, tt.runtime, got, tt.want)
		}
	}
}

// Root's directory can be believed by everybody, and is there once.
func TestDirs(t *testing.T) {
	dirs := Dirs()
	if own := Dir(); own != "" && dirs[0] != own || dirs[len(dirs)-1] != "/run/latchfs" || len(dirs) > 2 || len(dirs) == 2 && dirs[0] == dirs[1] {
		t.Errorf("%q; one's own is %q", dirs, own)
	}
}

func add(t *testing.T, dir string, e Entry) *Registration {
	t.Helper()
	r, err := Add(dir, e)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// entries gives sessions and, with a star, which of them live.
func entries(t *testing.T, dir string) string {
	t.Helper()
	all, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range all {
		name := f.Session
		if f.Live {
			name += "*"
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// A mount is found with all that it said as long as it lives; then its entry is there until its
// mount is gone, too.
func TestLifeOfAnEntry(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "latchfs")
	if got := entries(t, dir); got != "" {
		t.Errorf("a directory that is missing has %q", got)
	}
	one := Entry{Session: "one", StateDir: "/s", Mountpoint: "/mnt", Device: "0:50", PID: 7, Source: "s3://b/",
		Region: "r", Profile: "p", Endpoint: "http://e", DynamoDBEndpoint: "http://d", PathStyle: true}
	first := add(t, dir, one)
	all, err := Read(dir)
	one.Format = Format
	if err != nil || len(all) != 1 || all[0].Entry != one || !all[0].Live {
		t.Fatalf("%+v, %v; want %+v", all, err, one)
	}
	two := add(t, dir, Entry{Session: "two", StateDir: "/s", Device: "0:51"})
	two.file.Close() // its process died
	three := add(t, dir, Entry{Session: "three", StateDir: "/s", Device: "0:52"})
	three.file.Close()
	if got, want := entries(t, dir), "one* three two"; got != want {
		t.Errorf("entries %q, want %q", got, want)
	}
	if err := Clear(dir, func(device string) bool { return device == "0:52" }); err != nil {
		t.Error(err)
	}
	if got, want := entries(t, dir), "one* three"; got != want {
		t.Errorf("entries %q, want %q", got, want)
	}
	if err := first.Remove(); err != nil {
		t.Error(err)
	}
	if err := Clear(dir, func(string) bool { return false }); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// What is not surely an entry of ours is neither believed nor removed.
func TestWhatIsNotBelieved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "latchfs")
	add(t, dir, Entry{Session: "good", StateDir: "/s"}).file.Close()
	good, err := os.ReadFile(filepath.Join(dir, "good.json"))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "link.json")
	for path, text := range map[string]string{
		elsewhere:                           strings.Replace(string(good), "good", "link", 1),
		filepath.Join(dir, "writable.json"): strings.Replace(string(good), "good", "writable", 1),
		filepath.Join(dir, "foreign.json"):  strings.Replace(string(good), "good", "foreign", 1),
		filepath.Join(dir, "other.json"):    string(good), // the name is another one's
		filepath.Join(dir, "half.json"):     string(good[:20]),
		filepath.Join(dir, "newer.json"):    `{"format": 2, "session": "newer", "state_dir": "/s"}`,
		filepath.Join(dir, "nowhere.json"):  `{"format": 1, "session": "nowhere", "state_dir": "s"}`,
		filepath.Join(dir, "notes"):         string(good),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		os.Symlink(elsewhere, filepath.Join(dir, "link.json")),
		os.Chmod(filepath.Join(dir, "writable.json"), 0o666),
		os.Mkdir(filepath.Join(dir, "dir.json"), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := "foreign good"
	if os.Geteuid() == 0 {
		if err := os.Chown(filepath.Join(dir, "foreign.json"), 65534, 65534); err != nil {
			t.Fatal(err)
		}
		want = "good"
	}
	if got := entries(t, dir); got != want {
		t.Errorf("entries %q, want %q", got, want)
	}
	before, _ := os.ReadDir(dir)
	if err := Clear(dir, func(string) bool { return false }); err != nil {
		t.Error(err)
	}
	after, _ := os.ReadDir(dir)
	if len(before)-len(after) != len(strings.Fields(want)) {
		t.Errorf("of %d files %d are left, want all but %q", len(before), len(after), want)
	}
}

// A directory that others can write to, or a link to one, has nothing to say and takes nothing.
func TestDirectoryOfOthers(t *testing.T) {
	top := t.TempDir()
	real := filepath.Join(top, "real")
	add(t, real, Entry{Session: "one", StateDir: "/s"})
	link := filepath.Join(top, "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(top, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(top, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dirs := []string{link, open, file}
	if os.Geteuid() == 0 {
		foreign := filepath.Join(top, "foreign")
		if err := errors.Join(os.Mkdir(foreign, 0o700), os.Chown(foreign, 65534, 65534)); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, foreign)
	}
	for _, dir := range dirs {
		if _, err := Read(dir); err == nil {
			t.Errorf("%s is read", dir)
		}
		if _, err := Add(dir, Entry{Session: "two", StateDir: "/s"}); err == nil {
			t.Errorf("%s takes an entry", dir)
		}
	}
	if _, err := Add("", Entry{Session: "two"}); err == nil {
		t.Error("no error without a directory")
	}
}

// What a crash left unfinished goes when it is old.
func TestUnfinished(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "latchfs")
	add(t, dir, Entry{Session: "one", StateDir: "/s"})
	for name, age := range map[string]time.Duration{"fresh": 0, "old": 2 * abandoned} {
		path := filepath.Join(dir, unfinished+name)
		when := time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, when, when)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Clear(dir, func(string) bool { return false }); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 || left[0].Name() != unfinished+"fresh" {
		t.Errorf("left: %v", left)
	}
}

// Of two mounts that were given the same number one after the other, the later one is known as such.
func TestSince(t *testing.T) {
	dir := t.TempDir()
	before := time.Now().Add(-time.Second)
	add(t, dir, Entry{Session: "A", StateDir: "/s", Device: "0:58"})
	if err := os.Chtimes(filepath.Join(dir, "A"+suffix), time.Time{}, before); err != nil {
		t.Fatal(err)
	}
	add(t, dir, Entry{Session: "B", StateDir: "/s", Device: "0:58"})
	all, err := Read(dir)
	if err != nil || len(all) != 2 || !all[0].Since.Equal(before) || !all[1].Since.After(all[0].Since) {
		t.Errorf("%+v, %v; want B after A", all, err)
	}
}
