package store

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// An xmlEntry is what a plain reading of an answer says of one entry.
type xmlEntry struct{ kind, key, id string }

// readEntries reads the root, the entries and the EncodingType of an answer token by token, and
// tells whether it comes to its end.
func readEntries(body []byte) (root string, entries []xmlEntry, encoding string, whole bool) {
	d := xml.NewDecoder(bytes.NewReader(body))
	var path []string
	for {
		token, err := d.Token()
		if err != nil {
			return root, entries, encoding, false
		}
		switch token := token.(type) {
		case xml.StartElement:
			path = append(path, token.Name.Local)
			switch at := strings.Join(path[1:], "/"); {
			case len(path) == 1:
				root = path[0]
			case len(path) == 2 && (at == "Version" || at == "DeleteMarker"):
				entries = append(entries, xmlEntry{kind: at})
			case len(path) == 2 && at == "EncodingType":
				encoding = ""
			case at == "Version/Key" || at == "DeleteMarker/Key":
				entries[len(entries)-1].key = ""
			case at == "Version/VersionId" || at == "DeleteMarker/VersionId":
				entries[len(entries)-1].id = ""
			}
		case xml.EndElement:
			if path = path[:len(path)-1]; len(path) == 0 {
				return root, entries, encoding, true
			}
		case xml.CharData:
			if len(path) < 2 {
				continue
			}
			switch at := strings.Join(path[1:], "/"); at {
			case "EncodingType":
				encoding += string(token)
			case "Version/Key", "DeleteMarker/Key":
				entries[len(entries)-1].key += string(token)
			case "Version/VersionId", "DeleteMarker/VersionId":
				entries[len(entries)-1].id += string(token)
			}
		}
	}
}

// FuzzListVersions: the body of an answer gives an error, or all entries with their keys in the
// order in which they stand there. A body that is no list gives an error: taken for an empty list
// it would say that a write is not in the history.
func FuzzListVersions(f *testing.F) {
	for _, body := range []string{
		"", "<html><body>Welcome</body></html>", "<ListVersionsResult/>", "<ListVersionsResult>", `<Error><Code>InternalError</Code></Error>`,
		`<?xml version="1.0" encoding="UTF-8"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><EncodingType>url</EncodingType>` +
			`<IsTruncated>true</IsTruncated><NextKeyMarker>k%01+x</NextKeyMarker><NextVersionIdMarker>v1</NextVersionIdMarker>` +
			`<DeleteMarker><Key>k%2F</Key><VersionId>v5</VersionId><IsLatest>true</IsLatest><LastModified>2025-01-02T03:04:05.000Z</LastModified></DeleteMarker>` +
			`<Version><Key>k%2F</Key><VersionId>v4</VersionId><ETag>&quot;e&quot;</ETag><Size>4</Size><StorageClass>STANDARD</StorageClass></Version>` +
			`<DeleteMarker><Key>l</Key><VersionId>v3</VersionId></DeleteMarker><CommonPrefixes><Prefix>d%2F</Prefix></CommonPrefixes></ListVersionsResult>`,
		`<ListVersionsResult><Version><Key>a&amp;<!-- c -->b</Key><VersionId>1</VersionId><ETag>e</ETag></Version><Version><Size>-5</Size></Version></ListVersionsResult>`,
		`<ListVersionsResult><EncodingType>url</EncodingType><Version><Key>%</Key></Version></ListVersionsResult>`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 64<<10 {
			return
		}
		page, err := parseVersions(body)
		if err != nil {
			return
		}
		root, entries, encoding, whole := readEntries(body)
		if !whole {
			t.Fatalf("a part of a document was taken for a list")
		}
		if root != "ListVersionsResult" {
			t.Fatalf("a document of %q was taken for a list", root)
		}
		decode := keyDecoder(encoding)
		var got, want []string
		for _, v := range page.Versions {
			got = append(got, map[bool]string{true: "DeleteMarker", false: "Version"}[v.Deleted]+" "+v.Info.Key+" "+v.Info.VersionID)
			if v.Info.Key == "" || v.Info.Size < 0 || v.Info.LastModified.Nanosecond() != 0 {
				t.Errorf("version %+v", v)
			}
			if v.Deleted != v.Info.Base().Absent() {
				t.Errorf("deleted: %v, and its base is %+v", v.Deleted, v.Info.Base())
			}
		}
		for _, e := range entries {
			key, err := decode(e.key)
			if err != nil {
				t.Fatalf("key %q was taken", e.key)
			}
			want = append(want, e.kind+" "+key+" "+e.id)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%q\nwant\n%q", got, want)
		}
		if page.NextKey == "" && page.NextVersion != "" {
			t.Error("the next page begins in no key")
		}
	})
}

// FuzzVersionOrder: a list of keys, some of them deleted, is read as S3 writes it.
func FuzzVersionOrder(f *testing.F) {
	f.Add("a\na\na/b\nb\xff\x01%&<", []byte{1, 0, 1})
	f.Add("a", []byte{})
	f.Fuzz(func(t *testing.T, keys string, deleted []byte) {
		if len(keys) > 16<<10 {
			return
		}
		var want []Version
		body := "<ListVersionsResult><EncodingType>url</EncodingType>"
		for i, key := range strings.Split(keys, "\n") {
			if key == "" {
				continue
			}
			kind, etag := "Version", fmt.Sprint("e", i)
			if i < len(deleted) && deleted[i]%2 == 1 {
				kind, etag = "DeleteMarker", ""
			}
			body += fmt.Sprintf("<%s><Key>%s</Key><VersionId>v%d</VersionId><ETag>%s</ETag></%[1]s>", kind, url.QueryEscape(key), i, etag)
			want = append(want, Version{Info: Info{Key: key, VersionID: fmt.Sprint("v", i), ETag: etag}, Deleted: etag == ""})
		}
		page, err := parseVersions([]byte(body + "</ListVersionsResult>"))
		if err != nil || !reflect.DeepEqual(page.Versions, want) {
			t.Errorf("got\n%+v, %v\nwant\n%+v", page.Versions, err, want)
		}
	})
}
