package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/latchfs/latchfs/integration/harness"
)

// A foreign client writes some of the names: new bytes, old bytes again, metadata alone, nothing
// more. It looks at nothing, as most tools.
type foreign struct {
	c *harness.Client
	r *rand.Rand

	mu    sync.Mutex
	tells []change
}

// A change is one that somebody made to a key, as far as it was answered.
type change struct {
	key, version string
	by           string // host, or foreigner
	kind         string // "put", "copy", "delete"
	source       string // version that a copy took its bytes from
	from, till   int64
}

// setUp puts a line into each file, as a program would that knows of modes.
func (f *foreign) setUp(ctx context.Context) error {
	for i, key := range Names {
		c := change{key: key, by: foreigner, kind: "put", from: clock()}
		out, err := f.c.PutObject(ctx, &s3.PutObjectInput{Bucket: &f.c.Bucket, Key: &key, Body: strings.NewReader(line(fmt.Sprint(foreigner, ".1.", i), "-")),
			Metadata: map[string]string{"file-permissions": "0100640"}})
		if err != nil {
			return err
		}
		f.tell(c, out.VersionId)
	}
	return nil
}

// work writes until ctx ends.
func (f *foreign) work(ctx context.Context) error {
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(200+f.r.IntN(1500)) * time.Millisecond):
		}
		key := Names[f.r.IntN(len(Names))]
		if !foreignWrites(key) {
			continue
		}
		if err := f.step(context.WithoutCancel(ctx), key, n); err != nil {
			return fmt.Errorf("the foreign client: %w", err)
		}
	}
}

func (f *foreign) step(ctx context.Context, key string, n int) error {
	c := change{key: key, by: foreigner, kind: "put", from: clock()}
	content := line(fmt.Sprint(foreigner, ".0.", n), "-")
	switch d := f.r.IntN(10); {
	case d < 3: // old bytes again
		versions, err := f.c.Versions(ctx, key)
		if err != nil {
			return err
		}
		if len(versions) > 0 {
			old, err := f.c.Get(ctx, key, versions[max(0, len(versions)-1-f.r.IntN(4))].ID)
			if err != nil {
				return err
			}
			content = string(old)
		}
	case d < 6:
		out, err := f.c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &f.c.Bucket, Key: &key, CopySource: aws.String(f.c.Bucket + "/" + key),
			MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"note": fmt.Sprint(n)}})
		if harness.NotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		c.kind = "copy"
		f.tell(c, out.VersionId)
		return nil
	case d < 7:
		out, err := f.c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &f.c.Bucket, Key: &key})
		if err != nil {
			return err
		}
		c.kind = "delete"
		f.tell(c, out.VersionId)
		return nil
	}
	out, err := f.c.PutObject(ctx, &s3.PutObjectInput{Bucket: &f.c.Bucket, Key: &key, Body: strings.NewReader(content)})
	if err != nil {
		return err
	}
	f.tell(c, out.VersionId)
	return nil
}

func (f *foreign) tell(c change, version *string) {
	c.version, c.till = aws.ToString(version), clock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tells = append(f.tells, c)
}
