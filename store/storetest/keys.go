package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/store"
)

// odd are names that get lost where something between us and the server cleans, decodes
// or compares them. Keys with segments "." and ".." are left out: no path names them.
var odd = []string{
	"space in it", " leading", "trailing ", "plus+sign", "100%", "%41", "%2F", "a%00b", "é", "e\u0301", "日本語 🙂",
	"new\nline", "carriage\rreturn", "tab\tstop", "control\x01", "del\x7f", `<&>"'`, `back\slash`,
	"?#*:;=@,!$~()[]{}|^`", "query?versionId=null&x=y", "trailing/", "double//slash", "dir/.hidden", "...",
	"Case", "case", strings.Repeat("s", 260), "\ufeffbom", "\u2028", "\ufffd",
}

func testOddKeys(e *env) {
	ctx := e.Context()
	for i, name := range odd {
		e.Run(fmt.Sprintf("%+q", name[:min(len(name), 30)]), func(t *testing.T) {
			e := *e
			e.T = t
			key, content := e.key(name), fmt.Sprint("content ", i)
			made := e.put(key, content, absent)
			e.identity(made, key)
			e.holds(key, content)
			e.tagged(key, "")
			if h := e.history(key); len(h) != 1 || h[0].Info.ETag != made.ETag {
				e.Errorf("history %+v", h)
			}
			twin := e.key("copies/" + name)
			copied, err := e.Copy(ctx, store.CopyRequest{Key: twin, Cond: absent, Source: key, Version: made.VersionID, IfMatch: made.ETag})
			e.must(err)
			e.identity(copied, twin)
			e.holds(twin, content)
			e.must(e.Delete(ctx, store.DeleteRequest{Key: twin, IfMatch: copied.ETag}))
			e.empty(twin)
			multi := e.key("multi/" + name)
			u := e.upload(store.CreateUploadRequest{Key: multi})
			p, err := e.CopyPart(ctx, store.CopyPartRequest{Key: multi, Upload: u.id, Number: 1, Source: key,
				Version: made.VersionID, Range: store.Range{Length: int64(len(content))}})
			e.must(err)
			u.parts, u.size = []store.Part{p}, int64(len(content))
			_, err = u.complete(absent)
			e.must(err)
			e.holds(multi, content)
			page, err := e.List(ctx, store.ListOptions{Prefix: multi})
			e.must(err)
			e.same("listed by its own name", names(page.Objects, ""), []string{multi})
		})
	}
	want := slices.Sorted(slices.Values(odd))
	objects, _ := e.all(store.ListOptions{Prefix: e.prefix, Max: 7})
	got := slices.DeleteFunc(names(objects, e.prefix), func(n string) bool { return strings.HasPrefix(n, "multi/") })
	e.same("listed", got, want)
	var listed []string
	versions, _ := e.allVersions(store.VersionOptions{Prefix: e.prefix, Max: 7})
	for _, v := range versions {
		if n := strings.TrimPrefix(v.Info.Key, e.prefix); !strings.HasPrefix(n, "multi/") && !strings.HasPrefix(n, "copies/") {
			listed = append(listed, n)
		}
	}
	e.same("versions listed", listed, want)
	// Prefixes are as odd as keys.
	page, err := e.List(ctx, store.ListOptions{Prefix: e.key("multi/"), Delimiter: "\n"})
	e.must(err)
	e.same("prefixes", page.Prefixes, []string{e.key("multi/new\n")})
}

// testKeyLimit: a key has at most 1,024 bytes.
func testKeyLimit(e *env) {
	long := e.prefix + strings.Repeat("é/", 400)
	long = long[:1023] + "x"
	if len(long) != 1024 {
		e.Fatal(len(long))
	}
	e.put(long, "a", absent)
	e.holds(long, "a")
	_, err := e.Put(e.Context(), putRequest(long+"x", "a", absent))
	e.refused(err, store.ErrRefused)
	_, err = e.CreateUpload(e.Context(), store.CreateUploadRequest{Key: long + "x"})
	e.refused(err, store.ErrRefused)
	objects, _ := e.all(store.ListOptions{Prefix: e.prefix})
	e.same("listed", names(objects, ""), []string{long})
}
