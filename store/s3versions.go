package store

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// versionsXML is the answer to ListObjectVersions. The SDK sorts it into two lists, of
// versions and of delete markers, and their mutual order is lost: LastModified has whole
// seconds, so that it does not bring it back (aws-sdk-go-v2 issue 3164).
type versionsXML struct {
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
	var list versionsXML
	if err := xml.Unmarshal(answer.Bytes(), &list); err != nil {
		return VersionPage{}, a.garbled("list of versions: %w", err)
	}
	page, err := list.page()
	if err != nil {
		return VersionPage{}, a.garbled("list of versions: %w", err)
	}
	return page, nil
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

// takeAnswer is the option of an operation that moves the body of a successful answer to
// a buffer. The SDK is left an empty body, which it takes for an empty list.
func takeAnswer(to *bytes.Buffer) func(*s3.Options) {
	take := middleware.DeserializeMiddlewareFunc("TakeAnswer", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
		middleware.DeserializeOutput, middleware.Metadata, error,
	) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		r, ok := out.RawResponse.(*smithyhttp.Response)
		if err != nil || !ok || r.StatusCode != 200 {
			return out, metadata, err
		}
		_, err = to.ReadFrom(r.Body)
		r.Body.Close()
		r.Body = io.NopCloser(strings.NewReader(""))
		return out, metadata, err
	})
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			// Right below the decoder, hence above what finds errors inside of a 200.
			return stack.Deserialize.Insert(take, "OperationDeserializer", middleware.After)
		})
	}
}
