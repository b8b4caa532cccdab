package flatstore

import (
	"context"
	"strings"
	"time"

	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
)

// A condition is what a write demands of the current version of its key.
type condition struct {
	match, noneMatch *string // ETags without quotes, or *
}

// writeCondition takes the conditions from the request itself where there is one:
// the front drops those of CopyObject, and takes an empty ETag for none at all.
func writeCondition(ctx context.Context, match, noneMatch *string) condition {
	from := func(name string, given *string) *string {
		if v, sent := header(ctx, name); sent {
			given = &v
		}
		if given == nil {
			return nil
		}
		tag := strings.Trim(*given, `"`)
		return &tag
	}
	return condition{from("If-Match", match), from("If-None-Match", noneMatch)}
}

// judge refuses a write over current, which is nil or a marker if there is no object.
// S3 answers 404, not 412, to If-Match on an absent key, and knows no If-None-Match but *:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func (c condition) judge(current *version) error {
	switch {
	case c.match != nil && c.noneMatch != nil:
		return s3err.GetNotImplementedErr("If-Match,If-None-Match", s3err.NmpAdditionalMessageMultipleCondHeaders)
	case c.noneMatch != nil && *c.noneMatch != "*":
		return s3err.GetNotImplementedErr("If-None-Match", s3err.NmpAdditionalMessageIfNoneMatch)
	case c.noneMatch != nil && current.live():
		return s3err.GetPreconditionFailedErr(s3err.ConditionIfNoneMatch)
	case c.match != nil && !current.live():
		return s3err.GetAPIError(s3err.ErrNoSuchKey)
	case c.match != nil && *c.match != "*" && *c.match != current.ETag:
		return s3err.GetPreconditionFailedErr(s3err.ConditionIfMatch)
	}
	return nil
}

func (c condition) any() bool { return c.match != nil || c.noneMatch != nil }

// judgeRead refuses a read of v.
func judgeRead(v *version, c backend.PreConditions) error {
	// RFC 9110 13.1.4: a representation modified at that very second is unmodified.
	if c.IfUnmodeSince != nil && c.IfUnmodeSince.Truncate(time.Second).Equal(v.modified()) {
		c.IfUnmodeSince = nil
	}
	for _, tag := range []**string{&c.IfMatch, &c.IfNoneMatch} {
		if *tag != nil {
			t := strings.Trim(**tag, `"`)
			*tag = &t
		}
	}
	return backend.EvaluatePreconditions(v.ETag, v.modified(), c)
}

// judgeSource is judgeRead for the source of a copy, where S3 has no 304.
func judgeSource(v *version, c backend.PreConditions) error {
	err := judgeRead(v, c)
	if err == s3err.GetAPIError(s3err.ErrNotModified) {
		return s3err.GetPreconditionFailedErr(s3err.ConditionIfNoneMatch)
	}
	return err
}
