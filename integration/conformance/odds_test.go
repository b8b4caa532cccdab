package conformance

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// odds are the rows that fit nowhere else.
func (e *s3Server) odds() []row {
	return []row{
		{id: "z01", title: "single PUT of 100 MiB, GET back equal", limit: 120 * time.Second, check: func(ctx context.Context) error {
			d := data(77, 100<<20)
			if _, err := e.put(ctx, e.plain, "z01", d); err != nil {
				return fmt.Errorf("%s", code(err))
			}
			return first(e.is(ctx, e.plain, "z01", d), func() error { _, err := e.del(ctx, e.plain, "z01"); return err }())
		}},
		{id: "z02", title: "AppendObject (write-offset, directory buckets on AWS) / bucket policy / lifecycle", check: func(ctx context.Context) error {
			e.put(ctx, e.plain, "z02", []byte("a"))
			_, e1 := e.put(ctx, e.plain, "z02", []byte("b"), func(i *s3.PutObjectInput) { i.WriteOffsetBytes = p(int64(1)) })
			g, _, _ := e.get(ctx, e.plain, "z02")
			_, e2 := e.c.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: &e.plain, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{{ID: p("r"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: p("never/")}, NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{NoncurrentDays: p(int32(1))}}}}})
			pol := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"d","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::%s/policy-only/*","Condition":{"Null":{"s3:if-none-match":"true"}}}]}`, e.plain)
			_, e3 := e.c.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &e.plain, Policy: &pol})
			s := fmt.Sprintf("append: %s (content now %q); lifecycle: %s; policy requiring if-none-match: %s", code(e1), g, code(e2), code(e3))
			if e3 == nil {
				_, e4 := e.put(ctx, e.plain, "policy-only/x", []byte("x"))
				s += " -> unconditional put " + code(e4)
				e.c.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &e.plain})
			}
			if e2 == nil {
				e.c.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: &e.plain})
			}
			return infof("%s", s)
		}},
		{id: "z03", title: "virtual-host style addressing (Host: bucket.127.0.0.1 n/a) / HTTP keep-alive", check: func(ctx context.Context) error {
			tr := &http.Transport{}
			cl := &http.Client{Transport: tr}
			closes := 0
			for i := 0; i < 3; i++ {
				rq, err := e.ps.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &e.plain, Key: p("b03")})
				if err != nil {
					return err
				}
				rs, err := cl.Get(rq.URL)
				if err != nil {
					return err
				}
				buf := new(bytes.Buffer)
				buf.ReadFrom(rs.Body)
				rs.Body.Close()
				if rs.Close {
					closes++
				}
			}
			return infof("server closed the connection after %d of 3 requests", closes)
		}},
	}
}
