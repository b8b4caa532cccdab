package store

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// versionsXML is the answer to ListObjectVersions. The SDK sorts it into two lists, of
// versions and of delete markers, and their mutual order is lost: LastModified has whole
// seconds, so that it does not bring it back (aws-sdk-go-v2 issue 3164).
type versionsXML struct {
	// XMLName: another document is no empty list.
	XMLName             xml.Name `xml:"ListVersionsResult"`
	EncodingType        string
	IsTruncated         bool
	NextKeyMarker       string
	NextVersionIdMarker string
	CommonPrefixes      []struct{ Prefix string }
	// Entries are the Version and DeleteMarker elements in their order, and what else
	// has no field here.
	Entries []versionXML `xml:",any"`
}

type versionXML struct {
	XMLName      xml.Name
	Key          string
	VersionId    string
	IsLatest     bool
	ETag         string
	Size         int64
	LastModified time.Time
	StorageClass string
}

// ListVersions implements API.
func (b *s3Bucket) ListVersions(ctx context.Context, o VersionOptions) (VersionPage, error) {
	ctx, a := b.read(ctx, "ListVersions", o.Prefix)
	var answer bytes.Buffer
	_, err := b.meta.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{
		Bucket: &b.name, Prefix: given(o.Prefix), Delimiter: given(o.Delimiter), KeyMarker: given(o.KeyMarker),
		VersionIdMarker: given(o.VersionMarker), MaxKeys: maxKeys(o.Max), EncodingType: "url",
	}, takeAnswer(&answer))
	if err != nil {
		return VersionPage{}, a.fail(ctx, err)
	}
	page, err := parseVersions(answer.Bytes())
	if err != nil {
		return VersionPage{}, a.garbled("list of versions: %w", err)
	}
	if page.NextKey != "" && page.NextKey == o.KeyMarker && page.NextVersion == o.VersionMarker {
		return VersionPage{}, a.garbled("list of versions: it goes on where this page began")
	}
	return page, nil
}

// parseVersions reads the body of an answer.
func parseVersions(body []byte) (VersionPage, error) {
	var list versionsXML
	if err := xml.Unmarshal(body, &list); err != nil {
		return VersionPage{}, err
	}
	return list.page()
}

func (list *versionsXML) page() (page VersionPage, err error) {
	decode := keyDecoder(list.EncodingType)
	for _, e := range list.Entries {
		deleted := e.XMLName.Local == "DeleteMarker"
		if !deleted && e.XMLName.Local != "Version" {
			continue
		}
		v := Version{Latest: e.IsLatest, Deleted: deleted}
		v.Info = Info{ETag: unquote(e.ETag), VersionID: e.VersionId, Size: e.Size, LastModified: wholeSeconds(e.LastModified),
			Props: Props{StorageClass: storageClass(e.StorageClass)}}
		if v.Info.Key, err = decode(e.Key); err != nil {
			return VersionPage{}, err
		}
		if deleted {
			v.Info.ETag, v.Info.Size = "", 0
		}
		if v.Info.Key == "" || !deleted && (v.Info.ETag == "" || v.Info.Size < 0) {
			return VersionPage{}, fmt.Errorf("an entry without key, ETag or size: %+v", e)
		}
		page.Versions = append(page.Versions, v)
	}
	for _, p := range list.CommonPrefixes {
		prefix, err := decode(p.Prefix)
		if err != nil {
			return VersionPage{}, err
		}
		page.Prefixes = append(page.Prefixes, prefix)
	}
	if list.IsTruncated {
		if page.NextKey, err = decode(list.NextKeyMarker); err != nil {
			return VersionPage{}, err
		}
		if page.NextKey == "" {
			return VersionPage{}, fmt.Errorf("it is cut and does not say where")
		}
		page.NextVersion = list.NextVersionIdMarker
	}
	return page, nil
}
