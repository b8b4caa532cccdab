package flatstore

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// A version is the row of one version of an object, or of a delete marker.
type version struct {
	Seq      uint64    `json:"-"` // from the row key
	ID       string    `json:"id"`
	Marker   bool      `json:"marker,omitempty"`
	ETag     string    `json:"etag,omitempty"` // without quotes
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	attributes
	Sum     checksum `json:"sum,omitzero"`
	Content content  `json:"-"` // behind the JSON, see encodeRow
}

// attributes are what a client says about an object besides its content. Header and
// metadata values are bytes: they need not be UTF-8, and JSON would mend them.
type attributes struct {
	Headers   map[string][]byte             `json:"headers,omitempty"`
	Meta      map[string][]byte             `json:"meta,omitempty"`
	Tags      map[string]string             `json:"tags,omitempty"`
	LockMode  types.ObjectLockRetentionMode `json:"lock_mode,omitempty"`
	LockUntil time.Time                     `json:"lock_until,omitzero"`
	LegalHold *bool                         `json:"legal_hold,omitempty"`
}

// live is whether v is an object that can be read: nil and markers are not.
func (v *version) live() bool { return v != nil && !v.Marker }

// modified is Modified as HTTP shows it. Conditions on times compare this one, or an
// object would be newer than its own Last-Modified.
func (v *version) modified() time.Time { return v.Modified.Truncate(time.Second) }

// An upload is the row of an open multipart upload. Its key is the upload's id.
type upload struct {
	ID        string                  `json:"-"`
	Key       string                  `json:"-"`   // behind the JSON: it need not be UTF-8
	Seq       uint64                  `json:"seq"` // of the version that it will be
	Initiated time.Time               `json:"initiated"`
	Algorithm types.ChecksumAlgorithm `json:"algorithm,omitempty"`
	SumType   types.ChecksumType      `json:"sum_type,omitempty"`
	attributes
}

// A part is the row of one part of an open upload.
type part struct {
	Number   int       `json:"-"` // from the row key
	ETag     string    `json:"etag"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	Sum      checksum  `json:"sum,omitzero"`       // stored only if the upload names an algorithm
	CRC64    string    `json:"crc64nvme,omitzero"` // otherwise: what the whole object's sum is made of
	Content  content   `json:"-"`
}

// A completed row remembers the answer to a CompleteMultipartUpload for a while, so
// that the same request sent again (its answer was lost) gets the same answer.
type completed struct {
	Bucket    string    `json:"bucket"`
	Key       []byte    `json:"key"`
	ETag      string    `json:"etag"`
	VersionID string    `json:"version_id,omitempty"`
	Sum       checksum  `json:"sum,omitzero"`
	At        time.Time `json:"at"`
}

// A segmentID names a piece of content: a file in objects/, or a row of inline bytes.
type segmentID [16]byte

// An extent is a stretch of a segment.
type extent struct {
	ID       segmentID
	Off, Len int64
}

// A content is what an object or a part consists of. Parts are the sizes of the parts
// it was uploaded in, nil if it was uploaded at once.
type content struct {
	Extents []extent
	Parts   []int64
}

func (c content) size() (n int64) {
	for _, e := range c.Extents {
		n += e.Len
	}
	return n
}

// slice gives the extents of n bytes from off.
func (c content) slice(off, n int64) []extent {
	var out []extent
	for _, e := range c.Extents {
		if n <= 0 {
			break
		}
		if off >= e.Len {
			off -= e.Len
			continue
		}
		take := min(e.Len-off, n)
		out = append(out, extent{e.ID, e.Off + off, take})
		off, n = 0, n-take
	}
	return out
}

// encodeRow gives the JSON of row, a line feed (which is in no compact JSON), and tail.
// Listings read only the JSON.
func encodeRow(row any, tail []byte) ([]byte, error) {
	b, err := json.Marshal(row)
	if err != nil {
		return nil, fmt.Errorf("encoding a row: %w", err)
	}
	return append(append(b, '\n'), tail...), nil
}

func decodeRow(b []byte, row any) (tail []byte, err error) {
	j, tail, ok := bytes.Cut(b, []byte{'\n'})
	if !ok {
		return nil, fmt.Errorf("a row of the index is damaged: %.40q", b)
	}
	if err := json.Unmarshal(j, row); err != nil {
		return nil, fmt.Errorf("a row of the index is damaged: %w", err)
	}
	return tail, nil
}

func (c content) encode() []byte {
	b := binary.AppendUvarint(nil, uint64(len(c.Extents)))
	for _, e := range c.Extents {
		b = append(b, e.ID[:]...)
		b = binary.AppendUvarint(b, uint64(e.Off))
		b = binary.AppendUvarint(b, uint64(e.Len))
	}
	b = binary.AppendUvarint(b, uint64(len(c.Parts)))
	for _, n := range c.Parts {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

func decodeContent(b []byte) (content, error) {
	r := bytes.NewReader(b)
	var first error
	num := func() int64 {
		n, err := binary.ReadUvarint(r)
		if err != nil && first == nil {
			first = fmt.Errorf("the content of a row of the index is damaged: %w", err)
		}
		return int64(n)
	}
	var c content
	for n := num(); n > 0 && first == nil; n-- {
		var e extent
		if _, err := r.Read(e.ID[:]); err != nil && first == nil {
			first = fmt.Errorf("the content of a row of the index is damaged: %w", err)
		}
		e.Off, e.Len = num(), num()
		c.Extents = append(c.Extents, e)
	}
	for n := num(); n > 0 && first == nil; n-- {
		c.Parts = append(c.Parts, num())
	}
	return c, first
}
