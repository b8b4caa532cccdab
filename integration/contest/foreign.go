package contest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/latchfs/latchfs/integration/harness"
)

// A foreign client adds lines to the file of one job.
type foreign struct {
	c     *harness.Client
	job   Job
	pause time.Duration
	lines []string // those that were acknowledged
}

// work writes until ctx ends.
func (f *foreign) work(ctx context.Context) error {
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(rand.N(f.pause)):
		}
		line := fmt.Sprintf("foreign %d\n", n)
		ok, err := f.add(context.WithoutCancel(ctx), line)
		if err != nil {
			return fmt.Errorf("the foreign writer of %s: %w", f.job, err)
		}
		if ok {
			f.lines = append(f.lines, line)
		}
	}
}

// add tells whether the line was added: not if somebody else was faster, or if there is no file to add to.
func (f *foreign) add(ctx context.Context, line string) (bool, error) {
	key := string(f.job) + "/" + first
	if f.job == Rename {
		keys, err := f.c.Keys(ctx, string(f.job)+"/")
		if err != nil || len(keys) == 0 {
			return false, err
		}
		key = keys[0]
	}
	lines, etag, err := f.read(ctx, key)
	if err != nil || etag == "" && f.job == Rename {
		return false, err
	}
	return f.c.PutIfMatch(ctx, key, append(lines, line...), etag)
}

// read gives the lines of an object and its ETag, "" for none.
func (f *foreign) read(ctx context.Context, key string) (lines []byte, etag string, err error) {
	out, err := f.c.GetObject(ctx, &s3.GetObjectInput{Bucket: &f.c.Bucket, Key: &key})
	if harness.NotFound(err) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	defer out.Body.Close()
	lines, err = readLines(out.Body)
	return lines, *out.ETag, err
}
