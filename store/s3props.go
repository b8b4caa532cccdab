package store

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// metaPrefix begins the headers of user metadata, as net/http writes it.
const metaPrefix = "X-Amz-Meta-"

// Properties travel as headers that have the same names in requests and answers. They are
// taken and set here rather than in the SDK's structs because these differ between operations,
// and because Expires is a time there: a value that is no date could not be carried over.
const (
	headerWebsite   = "X-Amz-Website-Redirect-Location"
	headerClass     = "X-Amz-Storage-Class"
	headerSSE       = "X-Amz-Server-Side-Encryption"
	headerKMSKey    = "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"
	headerBucketKey = "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled"
	headerTagging   = "X-Amz-Tagging"
	headerTagCount  = "X-Amz-Tagging-Count"
	headerVersion   = "X-Amz-Version-Id"
	headerLockMode  = "X-Amz-Object-Lock-Mode"
	headerLockUntil = "X-Amz-Object-Lock-Retain-Until-Date"
	headerLegalHold = "X-Amz-Object-Lock-Legal-Hold"
)

// header gives the headers of a request that makes an object with these properties and tags.
func (p Props) header(tags string) http.Header {
	h := make(http.Header)
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	for name, value := range p.Meta {
		h.Set(metaPrefix+name, value)
	}
	set("Content-Type", p.ContentType)
	set("Cache-Control", p.CacheControl)
	set("Content-Disposition", p.ContentDisposition)
	set("Content-Encoding", p.ContentEncoding)
	set("Content-Language", p.ContentLanguage)
	set("Expires", p.Expires)
	set(headerWebsite, p.WebsiteRedirect)
	set(headerClass, p.StorageClass)
	set(headerSSE, p.Encryption)
	set(headerKMSKey, p.KMSKeyID)
	if p.Encryption == "aws:kms" { // left out, the bucket's default would decide
		set(headerBucketKey, strconv.FormatBool(p.BucketKey))
	}
	set(headerTagging, tags)
	return h
}

// propsOf reads the properties from the headers of a HEAD or GET.
func propsOf(h http.Header) Props {
	p := Props{
		ContentType:        h.Get("Content-Type"),
		CacheControl:       h.Get("Cache-Control"),
		ContentDisposition: h.Get("Content-Disposition"),
		ContentEncoding:    h.Get("Content-Encoding"),
		ContentLanguage:    h.Get("Content-Language"),
		Expires:            h.Get("Expires"),
		WebsiteRedirect:    h.Get(headerWebsite),
		StorageClass:       storageClass(h.Get(headerClass)),
		Encryption:         h.Get(headerSSE),
		KMSKeyID:           h.Get(headerKMSKey),
		BucketKey:          h.Get(headerBucketKey) == "true",
	}
	p.TagCount, _ = strconv.Atoi(h.Get(headerTagCount)) // absent without tags
	for name, values := range h {
		if meta, ok := strings.CutPrefix(name, metaPrefix); ok {
			if p.Meta == nil {
				p.Meta = make(map[string]string)
			}
			p.Meta[strings.ToLower(meta)] = strings.Join(values, ",")
		}
	}
	return p
}

// storageClass gives a class the name that Props has for it: HEAD leaves STANDARD out,
// a listing does not.
func storageClass(s string) string {
	if s == "STANDARD" {
		return ""
	}
	return s
}

// infoOf reads an object's Info from the headers of a HEAD or GET. In the answer to a range the
// size is the one after the slash of Content-Range.
func infoOf(key string, h http.Header) (Info, error) {
	i := Info{Key: key, ETag: unquote(h.Get("ETag")), VersionID: h.Get(headerVersion), Props: propsOf(h)}
	if i.ETag == "" {
		return Info{}, fmt.Errorf("the answer has no ETag")
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return Info{}, fmt.Errorf("time of the answer: %w", err)
	}
	i.LastModified = wholeSeconds(modified)
	i.Settled = settled(i, h.Get("Date"))
	i.Lock = lockOf(h)
	size := h.Get("Content-Length")
	if r := h.Get("Content-Range"); r != "" {
		size = r[strings.LastIndexByte(r, '/')+1:]
	}
	if i.Size, err = strconv.ParseInt(size, 10, 64); err != nil {
		return Info{}, fmt.Errorf("size in the answer: %w", err)
	}
	return i, nil
}

// lockOf reads what Object Lock keeps a version by. A time that cannot be read is in the future: it
// keeps.
func lockOf(h http.Header) Lock {
	l := Lock{Mode: h.Get(headerLockMode), Hold: h.Get(headerLegalHold) == "ON"}
	if l.Mode == "" {
		return l
	}
	var err error
	if l.Until, err = time.Parse(time.RFC3339, h.Get(headerLockUntil)); err != nil {
		l.Until = time.Unix(math.MaxInt32, 0)
	}
	return l
}

// settleTime is what LastModified of a version that is made may be behind the moment at which
// others see it, at the most: it may be the start of a copy.
const settleTime = time.Minute

// settled gives Info.Settled of an answer of that date. Of a multipart upload's version nothing is
// certain, since its LastModified is the start of the upload; its ETag has a dash.
func settled(i Info, date string) bool {
	now, err := http.ParseTime(date)
	return err == nil && now.Sub(i.LastModified) >= settleTime && !strings.Contains(i.ETag, "-")
}

// wholeSeconds brings the times of listings, where some servers give fractions, to what
// a header can say, so that both are equal for the same version.
func wholeSeconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func unquote(etag string) string { return strings.Trim(etag, `"`) }

func quote(etag string) string { return `"` + etag + `"` }

// quoted is quote for fields that may be absent.
func quoted(etag string) *string {
	if etag == "" {
		return nil
	}
	q := quote(etag)
	return &q
}

// given is nil for "", which the SDK leaves out.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// headers gives the two fields of a conditional request.
func (c Condition) headers() (ifMatch, ifNone *string) {
	if c.IfNone {
		everything := "*"
		ifNone = &everything
	}
	return quoted(c.IfMatch), ifNone
}

// answerStatus gives the HTTP status of an answer.
func answerStatus(m middleware.Metadata) int {
	if r, ok := awsmiddleware.GetRawResponse(m).(*smithyhttp.Response); ok {
		return r.StatusCode
	}
	return 0
}

// answerHeader gives the headers of an answer as they came.
func answerHeader(m middleware.Metadata) http.Header {
	if r, ok := awsmiddleware.GetRawResponse(m).(*smithyhttp.Response); ok {
		return r.Header
	}
	return nil
}
