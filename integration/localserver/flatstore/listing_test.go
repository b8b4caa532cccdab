package flatstore

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"
)

// entries reads the versions and markers of an answer in their order.
func entries(t *testing.T, body []byte) (out []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(body)))
	for {
		token, err := d.Token()
		if token == nil {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		e, ok := token.(xml.StartElement)
		if !ok || e.Name.Local != "Version" && e.Name.Local != "DeleteMarker" {
			continue
		}
		var v struct{ Key, VersionId, IsLatest string }
		if err := d.DecodeElement(&v, &e); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(e.Name.Local, " ", v.Key, " ", v.VersionId, " ", v.IsLatest))
	}
}

// Versions and markers come in one list, newest first, as from S3; the front alone would
// put the markers first.
func TestVersionsInterleaved(t *testing.T) {
	s := openStore(t)
	var want []string
	for i := range 3 {
		v := mustPut(t, s, "v", "k\x01", []byte("x")).VersionID
		d, err := s.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: ptr("v"), Key: ptr("k\x01")})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprint("Version k%01 ", v, " false"), fmt.Sprint("DeleteMarker k%01 ", *d.VersionId, " ", i == 2))
	}
	slices.Reverse(want)

	app := fiber.New()
	app.Use(OrderVersions)
	app.Get("/", func(c fiber.Ctx) error { // what the front does
		out, err := s.ListObjectVersions(c.RequestCtx(), &s3.ListObjectVersionsInput{Bucket: ptr("v"), MaxKeys: ptr(int32(1000))})
		if err != nil {
			return err
		}
		return c.XML(out)
	})
	var rc fasthttp.RequestCtx
	rc.Request.SetRequestURI("/?versions&encoding-type=url")
	app.Handler()(&rc)
	if got := entries(t, rc.Response.Body()); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if ct := string(rc.Response.Header.ContentType()); !strings.HasPrefix(ct, "application/xml") {
		t.Errorf("content type %s", ct)
	}
}

// A page begins after its marker, though the version was deleted meanwhile, and though
// it is a null version.
func TestVersionMarkers(t *testing.T) {
	s := openStore(t)
	mustPut(t, s, "p", "k", []byte("null"))
	for range 2 {
		if err := s.PutBucketVersioning(context.Background(), "p", types.BucketVersioningStatusEnabled); err != nil {
			t.Fatal(err)
		}
		mustPut(t, s, "p", "k", []byte("enabled"))
	}
	mustPut(t, s, "p", "l", []byte("other"))
	all := &versionsPage{name: "p", limit: 10}
	if err := s.listVersions(all); err != nil || len(all.entries) != 4 {
		t.Fatalf("%d entries, %v", len(all.entries), err)
	}
	for i, e := range all.entries[:3] {
		p := &versionsPage{name: "p", limit: 10, keyMarker: "k", idMarker: e.id}
		if err := s.listVersions(p); err != nil || len(p.entries) != 3-i || p.entries[0].id != all.entries[i+1].id {
			t.Errorf("after %s: %d entries, %v", e.id, len(p.entries), err)
		}
	}
	first := &versionsPage{name: "p", limit: 3}
	if err := s.listVersions(first); err != nil || !first.truncated {
		t.Fatal(err)
	}
	for _, e := range all.entries[:3] { // the last of the page is the null version
		if _, err := s.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: ptr("p"), Key: ptr("k"), VersionId: ptr(e.id)}); err != nil {
			t.Fatal(err)
		}
	}
	p := &versionsPage{name: "p", limit: 3, keyMarker: first.nextKey, idMarker: first.nextID}
	if err := s.listVersions(p); err != nil || len(p.entries) != 1 || p.entries[0].key != "l" {
		t.Errorf("the page after a deleted marker: %+v, %v", p.entries, err)
	}
}

func TestEncoding(t *testing.T) {
	for _, key := range []string{"a b+c%/d", "\x01\x7f", "é/\xff", "&<>"} {
		got, err := url.QueryUnescape(*encoding(true).of(key))
		if err != nil || got != key || strings.Contains(*encoding(true).of(key), "%2F") {
			t.Errorf("%q is encoded as %q", key, *encoding(true).of(key))
		}
		if *encoding(false).of(key) != key {
			t.Errorf("%q is encoded though it should not be", key)
		}
	}
}

// A listing goes on after a common prefix that is gone, and after one that holds a lot.
func TestListAfterCommonPrefix(t *testing.T) {
	s := openStore(t)
	for i := range 50 {
		mustPut(t, s, "v", fmt.Sprintf("a/%02d", i), nil)
	}
	mustPut(t, s, "v", "b", nil)
	list := func(token *string) (out []string, next *string) {
		p, err := s.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{
			Bucket: ptr("v"), Delimiter: ptr("/"), MaxKeys: ptr(int32(1)), ContinuationToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.CommonPrefixes {
			out = append(out, *c.Prefix)
		}
		for _, o := range p.Contents {
			out = append(out, *o.Key)
		}
		return out, p.NextContinuationToken
	}
	first, token := list(nil)
	if !slices.Equal(first, []string{"a/"}) || token == nil {
		t.Fatalf("first page %v", first)
	}
	for i := range 50 {
		if _, err := s.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: ptr("v"), Key: ptr(fmt.Sprintf("a/%02d", i))}); err != nil {
			t.Fatal(err)
		}
	}
	if second, token := list(token); !slices.Equal(second, []string{"b"}) || token != nil {
		t.Errorf("second page %v", second)
	}
	if all, _ := list(nil); !slices.Equal(all, []string{"b"}) {
		t.Errorf("a prefix that holds only markers is listed: %v", all)
	}
	_, err := s.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: ptr("v"), MaxKeys: ptr(int32(1)), ContinuationToken: ptr("!")})
	wantCode(t, "a token that is none", err, "InvalidArgument")
}

func TestUploadListing(t *testing.T) {
	s := openStore(t)
	var ids []string
	for _, key := range []string{"b", "a", "a", "d/1", "d/2"} {
		u := startUpload(t, s, "p", key)
		ids = append(ids, u)
	}
	var got []string
	in := &s3.ListMultipartUploadsInput{Bucket: ptr("p"), Delimiter: ptr("/"), MaxUploads: ptr(int32(1))}
	for range 10 {
		p, err := s.ListMultipartUploads(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range p.Uploads {
			got = append(got, u.Key+" "+u.UploadID)
		}
		for _, c := range p.CommonPrefixes {
			got = append(got, c.Prefix)
		}
		if !p.IsTruncated {
			break
		}
		in.KeyMarker, in.UploadIdMarker = &p.NextKeyMarker, &p.NextUploadIDMarker
	}
	if want := []string{"a " + ids[1], "a " + ids[2], "b " + ids[0], "d/"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if all, err := s.openUploads("p"); err != nil || all[0].Initiated.After(time.Now()) {
		t.Error(err)
	}
}
