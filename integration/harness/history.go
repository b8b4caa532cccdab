package harness

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// An Entry is a version or a delete marker in the history of a key.
type Entry struct {
	ID      string
	ETag    string // "" for a delete marker
	Deleted bool
}

// History lists versions and delete markers of a key in the exact order of the server, oldest
// first.
func (c *Client) History(ctx context.Context, key string) ([]Entry, error) {
	all, err := c.Histories(ctx, key)
	return all[key], err
}

// Histories is History of all keys with a prefix.
func (c *Client) Histories(ctx context.Context, prefix string) (map[string][]Entry, error) {
	found := map[string][]Entry{}
	in := &s3.ListObjectVersionsInput{Bucket: &c.Bucket, Prefix: &prefix}
	for {
		// The SDK gives versions and markers in two lists.
		var answer tee
		out, err := c.ListObjectVersions(ctx, in, func(o *s3.Options) { o.HTTPClient = &answer })
		if err != nil {
			return nil, err
		}
		var page struct {
			Entries []struct {
				XMLName              xml.Name
				Key, VersionId, ETag string
			} `xml:",any"`
		}
		if err := xml.Unmarshal(answer.body, &page); err != nil {
			return nil, fmt.Errorf("the list of versions below %s: %w", prefix, err)
		}
		for _, e := range page.Entries {
			if kind := e.XMLName.Local; kind == "Version" || kind == "DeleteMarker" {
				found[e.Key] = append(found[e.Key], Entry{e.VersionId, e.ETag, kind == "DeleteMarker"})
			}
		}
		if out.IsTruncated == nil || !*out.IsTruncated {
			for _, entries := range found {
				slices.Reverse(entries)
			}
			return found, nil
		}
		in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
	}
}

// A tee is an HTTP client that keeps the body of the last answer.
type tee struct{ body []byte }

// Do implements aws.HTTPClient.
func (t *tee) Do(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if t.body, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(t.body))
	return resp, nil
}
