package cli

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/internal/review"
	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

var update = flag.Bool("update", false, "write the samples of output anew")

// A shelf is a bucket in memory, whose clock goes on a minute with each change.
type shelf struct {
	*testing.T
	mem    *memstore.Bucket
	bucket *store.Client
	now    time.Time
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{T: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	s.mem = memstore.New(memstore.Options{Versioned: true, Now: func() time.Time { return s.now }})
	s.bucket = store.New(s.mem, store.Options{Host: "alpha", Audit: store.AuditFull})
	return s
}

func (s *shelf) foreign(key, body string) {
	s.now = s.now.Add(time.Minute)
	s.mem.PutForeign(key, body)
}

func (s *shelf) remove(key string) {
	s.now = s.now.Add(time.Minute)
	s.mem.DeleteForeign(key)
}

// put writes as a mount does.
func (s *shelf) put(key, body string, mode uint32, a store.Audit) {
	s.Helper()
	s.now = s.now.Add(time.Minute)
	base := store.Base{}
	if i, err := s.bucket.Head(s.Context(), key, ""); err == nil {
		base = i.Base()
	}
	meta, err := store.Posix{Mode: mode, Mtime: s.now.Add(-time.Second), Has: store.HasMode | store.HasMtime}.Put(nil)
	if err == nil {
		_, err = s.bucket.Put(s.Context(), always{}, store.Write{Key: key, ID: store.NewWriteID(), Base: base, Props: store.Props{Meta: meta}, Audit: a},
			store.Body{ReaderAt: strings.NewReader(body), Size: int64(len(body))})
	}
	if err != nil {
		s.Fatal(err)
	}
}

type always struct{}

func (always) Check() error { return nil }

// at is the place of a key in a mount at /mnt.
func (s *shelf) at(key, rev string) place {
	text := "/mnt/" + key
	if rev != "" {
		text += "@" + rev
	}
	return place{
		volume.Target{Text: text, Key: key, Rev: rev, Zone: time.UTC, Source: volume.Source{Bucket: "bucket"}, Access: volume.Access{Region: "r", Profile: "p q"}},
		&volume.Volume{Bucket: s.bucket},
	}
}

// do runs a command on places of the shelf.
func (s *shelf) do(cmd *cli.Command, flags string, run func(*fileCommand) error) (code int, out, errs string) {
	s.Helper()
	var o, e bytes.Buffer
	cmd.Action = func(c *cli.Context) error {
		return run(&fileCommand{Context: c, std: Stdio{Out: &o, Err: &e}, now: s.now})
	}
	app := &cli.App{Commands: []*cli.Command{cmd}, ExitErrHandler: func(*cli.Context, error) {}, Writer: &o}
	err := app.Run(append([]string{"latchfs", cmd.Name}, strings.Fields(flags)...))
	if _, said := errors.AsType[*reportedError](err); err != nil && !said {
		e.WriteString(oneLine(err) + "\n")
	}
	return exitCode(err), o.String(), e.String()
}

func (s *shelf) log(p place, flags string) (code int, out, errs string) {
	s.Helper()
	return s.do(logCommand(Stdio{}), flags, func(f *fileCommand) error {
		o, err := f.logOptions()
		if err != nil {
			return err
		}
		return f.log(s.Context(), p, o)
	})
}

func (s *shelf) diff(flags string, places ...place) (code int, out, errs string) {
	s.Helper()
	return s.do(diffCommand(Stdio{}), flags, func(f *fileCommand) error { return f.diff(s.Context(), places) })
}

// memoryID is a version id of memstore.
var memoryID = regexp.MustCompile(`[A-Z2-7]{26}`)

// sample holds output against a file in testdata, which is an interface. Version ids, which differ each
// time, are counted.
func sample(t *testing.T, name, got string) {
	t.Helper()
	seen := make(map[string]string)
	got = memoryID.ReplaceAllStringFunc(got, func(id string) string {
		if seen[id] == "" {
			seen[id] = fmt.Sprintf("version-id-%015d", len(seen)+1)
		}
		return seen[id]
	})
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("%s: %v\n%s\nwant\n%s", path, err, got, want)
	}
}

// fill makes a history with each kind of change in it.
func (s *shelf) fill() {
	s.put("d/f", "one\n", 0o100644, store.Audit{User: "ann", What: store.WhatWrite})
	s.put("d/f", "one\n", 0o100600, store.Audit{User: "ann", What: store.WhatMeta})
	s.foreign("d/f", "by another tool\n")
	s.remove("d/f")
	s.put("d/f", "one\n", 0o100600, store.Audit{What: store.WhatRestore, From: "v2"})
	s.put("d/f", "moved", 0o100600, store.Audit{What: store.WhatRename, From: "d/g"})
	s.put("d/sub/x", "x\n", 0o100644, store.Audit{What: store.WhatWrite})
	s.put("d/gone/y", "yy\n", 0o100644, store.Audit{What: store.WhatWrite})
	s.remove("d/gone/y")
	s.foreign("d/\x1b[31mred\n", "hostile")
	s.remove("d/\x1b[31mred\n")
}

func TestLogOutput(t *testing.T) {
	s := newShelf(t)
	s.fill()
	for _, tt := range []struct{ key, flags, file string }{
		{"d/f", "", "log.txt"},
		{"d/f", "--json", "log.jsonl"},
		{"d/f", "-p", "log-p.txt"},
		{"d/f", "--cat", "log-cat.txt"},
		{"d", "-r", "log-r.txt"},
		{"d/", "-r --deleted", "log-deleted.txt"},
		{"d/", "-r --deleted --json", "log-deleted.jsonl"},
		{"d/f", "--since 2026-11-22T12:05Z", "log-since.txt"},
	} {
		code, out, errs := s.log(s.at(tt.key, ""), tt.flags)
		if code != 0 || errs != "" {
			t.Errorf("%s of %s: exit code %d, %q", tt.flags, tt.key, code, errs)
		}
		sample(t, tt.file, out)
		for _, r := range out {
			if r != '\n' && !strconv.IsPrint(r) && r != '\t' {
				t.Errorf("%s of %s: %q reaches the terminal", tt.flags, tt.key, r)
			}
		}
	}
}

// What Object Lock keeps and what has labels says so, in columns that are else left out.
func TestLogOfLocked(t *testing.T) {
	s := newShelf(t)
	s.foreign("f", "one\n")
	s.now = s.now.Add(time.Minute)
	two := s.mem.PutForeignProps("f", "two\n", store.Props{}, "latchfs-labels=v1%20release")
	s.mem.Lock("f", two.VersionID, store.Lock{Mode: "GOVERNANCE", Until: time.Date(2033, 12, 31, 23, 0, 0, 0, time.UTC), Hold: true})
	s.now = s.now.Add(time.Minute)
	three := s.mem.PutForeign("f", "three\n")
	s.mem.Lock("f", three.VersionID, store.Lock{Mode: "COMPLIANCE", Until: s.now.Add(-time.Hour)}) // it is over
	for flags, file := range map[string]string{"": "log-locked.txt", "--json": "log-locked.jsonl", "--cat": "log-locked-cat.txt"} {
		code, out, errs := s.log(s.at("f", ""), flags)
		if code != 0 || errs != "" {
			t.Errorf("%s: exit code %d, %q", flags, code, errs)
		}
		sample(t, file, out)
	}
}

func TestLogRefuses(t *testing.T) {
	s := newShelf(t)
	s.fill()
	for _, tt := range []struct {
		key, rev, flags string
		code            int
		says            string
	}{
		{"never", "", "", 1, "nothing is, or was, at /mnt/never"},
		{"never/", "", "-r", 1, "nothing is, or was, at /mnt/never/"},
		{"d", "", "", 2, "/mnt/d is a directory: write latchfs log -r /mnt/d"},
		{"d/f", "2h", "", 2, "leave @2h out, or write latchfs cat /mnt/d/f@2h"},
	} {
		code, out, errs := s.log(s.at(tt.key, tt.rev), tt.flags)
		if code != tt.code || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, tt.says) {
			t.Errorf("%s@%s %s: exit code %d, %q, %q; want %d and %q", tt.key, tt.rev, tt.flags, code, out, errs, tt.code, tt.says)
		}
	}
	if code, out, errs := s.log(s.at("d/f", ""), "--since 1s"); code != 0 || out != "" || errs != "" {
		t.Errorf("nothing since: exit code %d, %q, %q", code, out, errs)
	}
}

// One listing, and one HEAD for each version that is shown.
func TestLogRequests(t *testing.T) {
	s := newShelf(t)
	s.fill()
	for flags, want := range map[string][3]int{"": {1, 5, 0}, "--since 2026-11-22T12:05Z": {1, 2, 0}, "-p": {1, 5, 5}, "--cat": {1, 5, 5}} {
		before := s.mem.Requests()
		if code, _, errs := s.log(s.at("d/f", ""), flags); code != 0 {
			t.Fatalf("exit code %d, %q", code, errs)
		}
		after := s.mem.Requests()
		got := [3]int{after["ListVersions"] - before["ListVersions"], after["Head"] - before["Head"], after["Get"] - before["Get"]}
		if got != want {
			t.Errorf("log %s: %v listings, HEADs and GETs, want %v", flags, got, want)
		}
	}
}

// What is archived is named, and the others are shown.
func TestLogOfArchived(t *testing.T) {
	s := newShelf(t)
	s.foreign("f", "one\n")
	s.now = s.now.Add(time.Minute)
	s.mem.PutForeignProps("f", "cold\n", store.Props{StorageClass: "DEEP_ARCHIVE"}, "")
	s.foreign("f", "three\n")
	code, out, errs := s.log(s.at("f", ""), "--cat")
	if code != 1 || !strings.Contains(out, "one\n") || !strings.Contains(out, "three\n") || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "DEEP_ARCHIVE") {
		t.Errorf("exit code %d, %q, %q", code, out, errs)
	}
	code, out, errs = s.do(catCommand(Stdio{}), "", func(f *fileCommand) error { return f.cat(t.Context(), s.at("f", "~1")) })
	if code != 1 || out != "" || !strings.Contains(errs, "DEEP_ARCHIVE") {
		t.Errorf("cat: exit code %d, %q, %q", code, out, errs)
	}
}

func TestCat(t *testing.T) {
	s := newShelf(t)
	s.fill()
	s.remove("d/sub/x")
	for _, tt := range []struct {
		key, rev, out string
		code          int
		says          string
	}{
		{"d/f", "", "moved", 0, ""},
		{"d/f", "~1", "one\n", 0, ""},
		{"d/f", "first", "one\n", 0, ""},
		{"d/f", "2026-11-22T12:03:30", "by another tool\n", 0, ""},
		{"d/f", "~2", "", 1, "was deleted at 2026-11-22T12:04:00Z"},
		{"d/sub/x", "", "", 1, "with s3://bucket/d/sub/x@~1"},
		{"d/sub/x", "~1", "x\n", 0, ""},
		{"never", "", "", 1, `nothing is, or was, at "never"`},
		{"d", "", "", 2, "/mnt/d is a directory"},
		{"d", "~1", "", 2, "/mnt/d@~1 is a directory"},
		{"d/", "", "", 2, "/mnt/d/ is a directory"},
		{"", "", "", 2, "/mnt/ is a directory"},
		{"d/f", "~9", "", 1, "~5 is the oldest"},
	} {
		code, out, errs := s.do(catCommand(Stdio{}), "", func(f *fileCommand) error { return f.cat(t.Context(), s.at(tt.key, tt.rev)) })
		if code != tt.code || out != tt.out || !strings.Contains(errs, tt.says) || strings.Count(errs, "\n") != min(code, 1) {
			t.Errorf("%s@%s: exit code %d, %q, %q; want %d, %q, %q", tt.key, tt.rev, code, out, errs, tt.code, tt.out, tt.says)
		}
	}
}

func TestDiff(t *testing.T) {
	s := newShelf(t)
	s.fill()
	for _, tt := range []struct {
		places []place
		want   string // lines of the output, without headers
	}{
		{[]place{s.at("d/f", "")}, "-one +moved \\ No newline at end of file"},
		{[]place{s.at("d/f", "~3")}, "-by another tool +moved \\ No newline at end of file"},
		{[]place{s.at("d/f", "first"), s.at("d/f", "~4")}, "old mode 100644 new mode 100600"},
		{[]place{s.at("d/f", "~3"), s.at("d/f", "~2")}, "-by another tool"},
		{[]place{s.at("d/f", "~1"), s.at("d/sub/x", "")}, "old mode 100600 new mode 100644 -one +x"},
		{[]place{s.at("d/f", ""), s.at("d/f", "")}, ""},
	} {
		code, out, errs := s.diff("", tt.places...)
		var lines []string
		for line := range strings.Lines(out) {
			if !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "+++") && !strings.HasPrefix(line, "@@") {
				lines = append(lines, strings.TrimSuffix(line, "\n"))
			}
		}
		if got := strings.Join(lines, " "); code != 0 || errs != "" || got != tt.want {
			t.Errorf("%s: exit code %d, %q, %q; want %q", tt.places[0].Text, code, errs, got, tt.want)
		}
	}
	if code, _, errs := s.diff("", s.at("d/sub/x", "")); code != 1 || !strings.Contains(errs, "~0 is the oldest") {
		t.Errorf("of one version: exit code %d, %q", code, errs)
	}
}

// A bucket without versions has one of each file.
func TestBucketWithoutVersions(t *testing.T) {
	s := newShelf(t)
	s.mem = memstore.New(memstore.Options{Now: func() time.Time { return s.now }})
	s.bucket = store.New(s.mem, store.Options{})
	s.foreign("f", "one\n")
	s.foreign("f", "two\n")
	code, out, errs := s.log(s.at("f", ""), "")
	if want := "VERSION  TIME                  SIZE  CHANGE  MODE  WHO  WHAT\nnull     2026-11-22T12:02:00Z  4     +4      -     -    foreign\n"; code != 0 || out != want || errs != "" {
		t.Errorf("log: exit code %d, %q, %q", code, out, errs)
	}
	for _, rev := range []string{"", "null", "~0"} {
		if code, out, errs := s.do(catCommand(Stdio{}), "", func(f *fileCommand) error { return f.cat(t.Context(), s.at("f", rev)) }); code != 0 || out != "two\n" {
			t.Errorf("cat @%s: exit code %d, %q, %q", rev, code, out, errs)
		}
	}
	if code, _, errs := s.diff("", s.at("f", "")); code != 1 || !strings.Contains(errs, "~0 is the oldest") {
		t.Errorf("diff: exit code %d, %q", code, errs)
	}
}

func TestDiffRefuses(t *testing.T) {
	s := newShelf(t)
	s.fill()
	for key, says := range map[string]string{"d": "/mnt/d is a directory", "never": `nothing is, or was, at "never"`} {
		if code, out, errs := s.diff("", s.at(key, "")); code == 0 || out != "" || !strings.Contains(errs, says) {
			t.Errorf("%s: exit code %d, %q, %q", key, code, out, errs)
		}
	}
}

func TestDiffOfTrees(t *testing.T) {
	s := newShelf(t)
	s.fill()
	for file, flags := range map[string]string{"diff-r.txt": "-r", "diff-r.jsonl": "-r --json"} {
		code, out, errs := s.diff(flags, s.at("d", "2026-11-22T12:03"))
		if code != 0 || errs != "" {
			t.Errorf("exit code %d, %q", code, errs)
		}
		sample(t, file, out)
	}
	if code, out, _ := s.diff("-r", s.at("d", "2026-11-22T12:06"), s.at("d", "2026-11-22T12:07")); code != 0 || out != "A sub/x\n" {
		t.Errorf("between two times: exit code %d, %q", code, out)
	}
	if code, out, errs := s.diff("-r", s.at("d/f", "2026-11-22T12:06")); code != 1 || out != "" || !strings.Contains(errs, "nothing is, or was, below s3://bucket/d/f/") {
		t.Errorf("of a file: exit code %d, %q, %q", code, out, errs)
	}
	if code, out, errs := s.diff("-r", s.at("d", "0s")); code != 0 || out != "" || errs != "" {
		t.Errorf("without a difference: exit code %d, %q, %q", code, out, errs)
	}
	for rev, says := range map[string]string{"": "write latchfs diff -r /mnt/d@TIME", "~1": "of a directory a time is named"} {
		if code, _, errs := s.diff("-r", s.at("d", rev)); code != 2 || !strings.Contains(errs, says) {
			t.Errorf("@%s: exit code %d, %q", rev, code, errs)
		}
	}
}

func TestLsMode(t *testing.T) {
	for mode, want := range map[uint32]string{
		0o100644: "-rw-r--r--", 0o040755: "drwxr-xr-x", 0o120777: "lrwxrwxrwx", 0o104755: "-rwsr-xr-x", 0o102644: "-rw-r-Sr--", 0o041777: "drwxrwxrwt", 0o041776: "drwxrwxrwT", 0: "?---------",
	} {
		if got := lsMode(mode); got != want {
			t.Errorf("%o: %s, want %s", mode, got, want)
		}
	}
}

// A command on another key is one that a shell reads back, in the user's own words.
func TestCommandOfAPlace(t *testing.T) {
	s := newShelf(t)
	p := s.at("d", "")
	if got, want := p.command("undelete", "a b"), "latchfs undelete --region r --profile 'p q' 's3://bucket/a b'"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if last := lastContent([]history.Version{{Deleted: true}}); last != nil {
		t.Errorf("a deletion has the content %v", last)
	}
	if e := (review.Entry{}); e.By() != "" {
		t.Errorf("nobody is %q", e.By())
	}
}
