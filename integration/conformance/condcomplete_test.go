package conformance

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// conditionalCompletes are the rows on CompleteMultipartUpload with conditions.
func (e *s3Server) conditionalCompletes() []row {
	return []row{
		{id: "m01", title: "CompleteMPU If-None-Match:* absent 200, present 412", check: func(ctx context.Context) error {
			id, ps, err := e.mpu(ctx, e.plain, "m01", onePart())
			if err != nil {
				return err
			}
			if _, err = e.complete(ctx, e.plain, "m01", id, ps, completeIfAbsent); err != nil {
				return fmt.Errorf("absent: %s", code(err))
			}
			id, ps, err = e.mpu(ctx, e.plain, "m01", [][]byte{data(12, 99)})
			if err != nil {
				return err
			}
			_, err = e.complete(ctx, e.plain, "m01", id, ps, completeIfAbsent)
			return first(want("present", err, 412), e.is(ctx, e.plain, "m01", onePart()[0]))
		}},
		{id: "m02", title: "CompleteMPU If-Match right 200, wrong 412", check: func(ctx context.Context) error {
			r, err := e.put(ctx, e.plain, "m02", []byte("a"))
			if err != nil {
				return err
			}
			id, ps, err := e.mpu(ctx, e.plain, "m02", onePart())
			if err != nil {
				return err
			}
			_, err = e.complete(ctx, e.plain, "m02", id, ps, completeIfMatch(*r.ETag))
			if err != nil {
				return fmt.Errorf("right: %s", code(err))
			}
			id, ps, err = e.mpu(ctx, e.plain, "m02", [][]byte{data(12, 99)})
			if err != nil {
				return err
			}
			_, err = e.complete(ctx, e.plain, "m02", id, ps, completeIfMatch(*r.ETag))
			return first(want("wrong", err, 412), e.is(ctx, e.plain, "m02", onePart()[0]))
		}},
		{id: "m03", title: "CompleteMPU If-Match on absent key -> 404", check: func(ctx context.Context) error {
			id, ps, err := e.mpu(ctx, e.plain, "m03", onePart())
			if err != nil {
				return err
			}
			_, err = e.complete(ctx, e.plain, "m03", id, ps, completeIfMatch(`"00000000000000000000000000000000"`))
			if status(err) == 412 {
				return infof("412 instead of 404: safe")
			}
			return want("absent", err, 404)
		}},
		{id: "m04", title: "after a 412 the upload can still be completed / aborted", check: func(ctx context.Context) error {
			e.put(ctx, e.plain, "m04", []byte("a"))
			id, ps, err := e.mpu(ctx, e.plain, "m04", onePart())
			if err != nil {
				return err
			}
			_, err = e.complete(ctx, e.plain, "m04", id, ps, completeIfAbsent)
			if status(err) != 412 {
				return fmt.Errorf("present: %s", code(err))
			}
			_, e2 := e.complete(ctx, e.plain, "m04", id, ps)
			return infof("second, unconditional complete: %s", code(e2))
		}},
		{id: "m05", title: "CompleteMPU If-None-Match:* after delete marker (versioned)", check: func(ctx context.Context) error {
			e.put(ctx, e.ver, "m05", []byte("a"))
			e.del(ctx, e.ver, "m05")
			id, ps, err := e.mpu(ctx, e.ver, "m05", onePart())
			if err != nil {
				return err
			}
			r, err := e.complete(ctx, e.ver, "m05", id, ps, completeIfAbsent)
			if err != nil {
				return fmt.Errorf("%s", code(err))
			}
			if aws.ToString(r.VersionId) == "" {
				return fmt.Errorf("no VersionId in the reply")
			}
			return nil
		}},
		{id: "m06", title: "completing the same upload twice (lost reply): 2nd answer", check: func(ctx context.Context) error {
			id, ps, err := e.mpu(ctx, e.plain, "m06", onePart())
			if err != nil {
				return err
			}
			if _, err = e.complete(ctx, e.plain, "m06", id, ps); err != nil {
				return err
			}
			_, e2 := e.complete(ctx, e.plain, "m06", id, ps)
			return infof("2nd complete: %s (AWS: 200 again for a while)", code(e2))
		}},
	}
}
