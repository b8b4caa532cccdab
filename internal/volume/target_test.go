package volume

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// found gives what a target names, in one line.
func found(t Target) string {
	text := t.Source.String() + " " + t.Key
	if t.Rev != "" {
		text += " @ " + t.Rev
	}
	return text
}

func TestFindTarget(t *testing.T) {
	for _, tt := range []struct{ text, rev, want string }{
		{"s3://bucket/a/b", "", "s3://bucket/ a/b"},
		{"s3://bucket/a/b/", "", "s3://bucket/ a/b/"},
		{"s3://bucket", "", "s3://bucket/ "},
		{"s3://bucket/", "", "s3://bucket/ "},
		{"s3://bucket/a//b c/..", "", "s3://bucket/ a//b c/.."}, // keys are what they are
		{"s3://bucket/a@2h", "", "s3://bucket/ a @ 2h"},
		{"s3://bucket/a@b@2h", "", "s3://bucket/ a@b @ 2h"},
		{"s3://bucket/d/@2h", "", "s3://bucket/ d/ @ 2h"},
		{"s3://bucket@2h", "", "s3://bucket/  @ 2h"},
		{"s3://bucket/a@", "", "s3://bucket/ a@"},
		{"s3://bucket/@a/b", "", "s3://bucket/ @a/b"},
		{"s3://bucket/a@2h", "~1", "s3://bucket/ a@2h @ ~1"},
		{"s3://bucket/a", "~1", "s3://bucket/ a @ ~1"},
	} {
		got, err := FindTarget(tt.text, tt.rev, Access{Region: "r"})
		if err != nil || found(got) != tt.want || got.Text != tt.text || got.Access.Region != "r" || got.Zone != time.Local {
			t.Errorf("%q, %q: %q, %v; want %q", tt.text, tt.rev, found(got), err, tt.want)
		}
	}
}

func TestFindTargetRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"s3://":                     "s3://bucket/key",
		"s3:///a":                   "s3://bucket/key",
		"s3://UPPER!/a":             "s3://bucket/key",
		"s3://bucket/.latchfs/b":    "the program's own",
		"s3://bucket/.latchfs":      "the program's own",
		"s3://bucket/bad\xff":       "UTF-8",
		"s3://bucket/nul\x00":       "UTF-8",
		"s3://bucket/" + longKey:    "S3 takes 1024",
		"local:/none/such/folder":   "local:DIR/key",
		"local:":                    "local:DIR/key",
		"s3://bucket/.latchfs/x@2h": "the program's own",
	} {
		got, err := FindTarget(text, "", Access{})
		if _, usage := errors.AsType[*UsageError](err); !usage || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q: %+v, %v; want a usage error with %q", text, got, err, says)
		}
	}
}

var longKey = strings.Repeat("long/", 250)

// The folder of a local source is the one that is served.
func TestLocalTarget(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "server.json"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for text, key := range map[string]string{"": "", "/": "", "/a/b": "a/b", "/d/": "d/"} {
		got, err := FindTarget("local:"+dir+text, "", Access{})
		if err != nil || got.Source != (Source{Local: dir, Bucket: "data"}) || got.Key != key {
			t.Errorf("%q: %+v, %v; want key %q", text, got, err, key)
		}
	}
	if got, err := FindTarget("local:"+dir+"/a@~1", "", Access{}); err != nil || got.Key != "a" || got.Rev != "~1" {
		t.Errorf("with a version: %+v, %v", got, err)
	}
	if _, err := FindTarget("local:"+dir+"/a", "", Access{Region: "r"}); err == nil {
		t.Error("a region goes with a folder")
	}
}

// A name that exists as it is written wins over PATH@REV; one that was deleted wins if the other
// never was.
func TestChoose(t *testing.T) {
	ctx := t.Context()
	mem := memstore.New(memstore.Options{Versioned: true})
	b := store.New(mem, store.Options{})
	for _, key := range []string{"both", "both@1h", "only@1h", "f", "dir@1h/x", "gone@1h", "f@2h", "a", "a/b", "real~file"} {
		mem.PutForeign(key, "x")
	}
	mem.DeleteForeign("gone@1h")
	mem.DeleteForeign("f@2h")
	for text, want := range map[string]string{
		"f@1h":     "f @ 1h",
		"both@1h":  "both@1h",
		"only@1h":  "only@1h",
		"dir@1h":   "dir@1h",
		"gone@1h":  "gone@1h",
		"f@2h":     "f @ 2h",
		"never@1h": "never @ 1h",
		"f":        "f",
	} {
		target, err := FindTarget("s3://bucket/"+text, "", Access{})
		if err == nil {
			target, err = (&Volume{Bucket: b}).Choose(ctx, target)
		}
		got := strings.TrimPrefix(found(target), "s3://bucket/ ")
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
	for name, want := range map[string]string{"a~file": "a", "a": "a", "real~file": "real~file", "f~file": "f~file", "a/b~file": "a/b~file"} {
		target, err := (&Volume{Bucket: b}).Choose(ctx, Target{Key: name, Mountpoint: "/mnt"})
		if err != nil || target.Key != want {
			t.Errorf("%s in a mount is key %q, %v; want %q", name, target.Key, err, want)
		}
	}
	before := b.Requests()
	if _, err := (&Volume{Bucket: b}).Choose(ctx, Target{Key: "f", Mountpoint: "/mnt"}); err != nil || !maps.Equal(b.Requests(), before) {
		t.Errorf("a plain name costs requests: %v", err)
	}
}
