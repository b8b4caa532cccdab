package flatstore

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3err"
)

// Names in attributes.Headers.
const (
	contentType        = "Content-Type"
	contentEncoding    = "Content-Encoding"
	contentDisposition = "Content-Disposition"
	contentLanguage    = "Content-Language"
	cacheControl       = "Cache-Control"
	expires            = "Expires"
	redirectLocation   = "X-Amz-Website-Redirect-Location"
)

const maxKey = 1024 // bytes, https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html

func checkKey(key string) error {
	if key == "" {
		return s3err.GetAPIError(s3err.ErrNoSuchKey)
	}
	if len(key) > maxKey {
		return s3err.GetKeyTooLongErr(int64(len(key)), maxKey)
	}
	return nil
}

// headers makes attributes.Headers of name, value pairs.
func headers(pairs map[string]*string) map[string][]byte {
	m := map[string][]byte{}
	for name, v := range pairs {
		if v != nil && *v != "" {
			m[name] = []byte(*v)
		}
	}
	return m
}

func (a attributes) header(name string) *string {
	v, ok := a.Headers[name]
	if !ok {
		return nil
	}
	s := string(v)
	return &s
}

func encodeMeta(m map[string]string) map[string][]byte {
	out := make(map[string][]byte, len(m))
	for k, v := range m {
		out[strings.Clone(k)] = []byte(v)
	}
	return out
}

func decodeMeta(m map[string][]byte) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = string(v)
	}
	return out
}

// lock sets retention and legal hold as a write asks for them, or else as the bucket's
// default says.
func (a *attributes) lock(c bucketConfig, mode types.ObjectLockMode, until *time.Time, hold types.ObjectLockLegalHoldStatus) error {
	asked := mode != "" || hold != ""
	if asked && !c.LockEnabled {
		return s3err.GetAPIError(s3err.ErrMissingObjectLockConfigurationNoSpaces)
	}
	if hold != "" {
		on := hold == types.ObjectLockLegalHoldStatusOn
		a.LegalHold = &on
	}
	switch {
	case mode != "" && until != nil:
		a.LockMode, a.LockUntil = types.ObjectLockRetentionMode(mode), until.UTC()
	case c.Retention != nil:
		a.LockMode = c.Retention.Mode
		a.LockUntil = time.Now().UTC()
		if c.Retention.Days != nil {
			a.LockUntil = a.LockUntil.AddDate(0, 0, int(*c.Retention.Days))
		}
		if c.Retention.Years != nil {
			a.LockUntil = a.LockUntil.AddDate(int(*c.Retention.Years), 0, 0)
		}
	}
	return nil
}

func quoted(etag string) *string {
	s := `"` + etag + `"`
	return &s
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func ptr[T any](v T) *T { return &v }
