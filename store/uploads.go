package store

import (
	"context"
	"time"
)

// UploadOptions choose open multipart uploads, in order of their keys.
type UploadOptions struct {
	Prefix string
	// KeyMarker and UploadMarker continue after an earlier page.
	KeyMarker, UploadMarker string
	Max                     int // entries of a page; 0: 1000
}

// An Upload is a multipart upload that is neither completed nor aborted. Its parts are stored,
// and no listing of objects shows it.
type Upload struct {
	Key, ID string
	Begun   time.Time // by the server's clock
	// AsOurs: it asked for the checksums that CreateUpload of this program asks for. Others may do
	// so too, and not every server tells.
	AsOurs bool
}

// An UploadPage is one page of open uploads.
type UploadPage struct {
	Uploads             []Upload
	NextKey, NextUpload string // "" on the last page
}

// ListUploads gives one page of the open multipart uploads.
func (c *Client) ListUploads(ctx context.Context, o UploadOptions) (UploadPage, error) {
	return read(ctx, c, "ListUploads", o.Prefix, readPatience, func(ctx context.Context) (UploadPage, error) {
		return c.api.ListUploads(ctx, o)
	})
}

// Skew tells by how much the server's clock was ahead of this host's at its latest answer; less
// than 0 is behind. It is good to a second and the time that the answer took. ok is false before
// the first answer, and for a server that does not tell.
func (c *Client) Skew() (d time.Duration, ok bool) { return c.api.Skew() }

// ServerNow is the time by the server's clock, by which ages of what it has are told; by this host's, before
// the first answer and where the server does not tell.
func (c *Client) ServerNow() time.Time {
	skew, _ := c.Skew()
	return time.Now().Add(skew)
}
