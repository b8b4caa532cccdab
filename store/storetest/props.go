package storetest

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/store"
)

// full are properties of every kind that a server takes without further set-up.
func full() store.Props {
	return store.Props{
		Meta: map[string]string{"file-mtime": "1795600000123456789ns", "latchfs-write-id": "A%2Fb c=d+e;f,g",
			"with.dot_and-dash": `"quoted" 'too'`, "long": strings.Repeat("x", 1500)},
		ContentType: "text/x-odd; charset=utf-8", CacheControl: "max-age=60, must-revalidate",
		ContentDisposition: `attachment; filename="a b.txt"`, ContentEncoding: "x-custom", ContentLanguage: "en, mi",
		Expires: "Wed, 01 Jan 2031 00:00:00 GMT", WebsiteRedirect: "/elsewhere",
		StorageClass: "STANDARD_IA", Encryption: "AES256",
	}
}

const fullTags = "color=deep%20blue&path=a%2Fb%2Bc"

// kept checks that an object has the properties full and the tags fullTags.
func (e *env) kept(key string) {
	e.Helper()
	want := full()
	want.TagCount = 2
	e.Forgets(&want)
	head := e.head(key)
	if !reflect.DeepEqual(head.Props, want) {
		e.Errorf("HEAD tells %+v\nwant %+v", head.Props, want)
	}
	info, _, err := e.get(store.GetRequest{Key: key})
	e.must(err)
	if !reflect.DeepEqual(info, head) {
		e.Errorf("GET tells %+v\nHEAD %+v", info, head)
	}
	e.tagged(key, fullTags)
}

// tagged checks the tags of an object; their order is the server's.
func (e *env) tagged(key, want string) {
	e.Helper()
	tags, err := e.Tags(e.Context(), key, "")
	e.must(err)
	got, err := url.ParseQuery(tags)
	e.must(err)
	if w, _ := url.ParseQuery(want); !reflect.DeepEqual(got, w) {
		e.Errorf("tags %q, want %q", tags, want)
	}
}

func testPropsPut(e *env) {
	key := e.key("k")
	in := putRequest(key, "a", absent)
	in.Props, in.Tags = full(), fullTags
	made, err := e.Put(e.Context(), in)
	e.must(err)
	e.identity(made, key)
	e.kept(key)
	if !reflect.DeepEqual(in.Props, full()) {
		e.Errorf("Put changed its caller's properties to %+v", in.Props)
	}
	// The next version has nothing of them.
	e.put(key, "b", over(made))
	p := e.head(key).Props
	p.ContentType, p.Encryption = "", "" // servers have defaults
	if len(p.Meta) > 0 {
		e.Errorf("metadata stayed: %v", p.Meta)
	}
	if p.Meta = nil; !reflect.DeepEqual(p, store.Props{}) {
		e.Errorf("properties stayed: %+v", p)
	}
	e.tagged(key, "")
}

func testPropsCopy(e *env) {
	key, from := e.key("k"), e.key("source")
	in := putRequest(from, "a", absent)
	in.Props.Meta, in.Props.CacheControl, in.Tags = map[string]string{"gone": "1"}, "no-store", "gone=1"
	made, err := e.Put(e.Context(), in)
	e.must(err)
	made, err = e.Copy(e.Context(), store.CopyRequest{Key: key, Cond: absent, Source: from, Version: made.VersionID,
		IfMatch: made.ETag, Props: full(), Tags: fullTags})
	e.must(err)
	e.identity(made, key)
	e.kept(key)
	made, err = e.Copy(e.Context(), store.CopyRequest{Key: key, Cond: over(made), Source: from})
	e.must(err)
	if p := e.identity(made, key).Props; len(p.Meta) > 0 || p.CacheControl != "" || p.TagCount != 0 {
		e.Errorf("a copy with no properties has %+v", p)
	}
}

func testPropsUpload(e *env) {
	key := e.key("k")
	u := e.upload(store.CreateUploadRequest{Key: key, Props: full(), Tags: fullTags}, "content")
	made, err := u.complete(absent)
	e.must(err)
	e.identity(made, key)
	e.kept(key)
}

// testMetaLimit: S3 takes 2 KiB of user metadata, names included.
func testMetaLimit(e *env) {
	key := e.key("k")
	in := putRequest(key, "a", absent)
	in.Props.Meta = map[string]string{"name": strings.Repeat("v", 2048-len("name")+1)}
	_, err := e.Put(e.Context(), in)
	e.refused(err, store.ErrRefused)
	e.empty(key)
	in = putRequest(key, "a", absent)
	in.Props.Meta = map[string]string{"name": strings.Repeat("v", 2000)}
	_, err = e.Put(e.Context(), in)
	e.must(err)
	if got := len(e.head(key).Props.Meta["name"]); got != 2000 {
		e.Errorf("%d bytes of metadata came back", got)
	}
}

func testTags(e *env) {
	_, err := e.Tags(e.Context(), e.key("missing"), "")
	e.refused(err, store.ErrNotFound)
	for name, tags := range map[string]string{
		"one": "a=b", "no value": "a=", "odd": url.Values{"a b": {"+/=.-@:"}, "_": {"x y"}}.Encode(),
		"ten": "a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=0",
	} {
		e.Run(name, func(t *testing.T) {
			e := *e
			e.T = t
			in := putRequest(e.key(name), "a", absent)
			in.Tags = tags
			_, err := e.Put(e.Context(), in)
			e.must(err)
			e.tagged(in.Key, tags)
			if got, want := e.head(in.Key).Props.TagCount, strings.Count(tags, "="); got != want {
				// "=" is in no name or value unescaped
				e.Errorf("TagCount %d, want %d", got, want)
			}
		})
	}
}
