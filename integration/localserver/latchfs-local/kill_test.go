package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/latchfs/latchfs/integration/localserver/serve"
)

func client(a serve.Access) *s3.Client {
	return s3.New(s3.Options{
		Region: a.Region, BaseEndpoint: aws.String("http://" + a.Address), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(a.AccessKey, a.SecretKey, ""),
		Retryer:     aws.NopRetryer{},
		HTTPClient:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}},
	})
}

// An acknowledged write.
type acknowledged struct {
	key, version string
	sum          [sha256.Size]byte
}

// write writes objects of all kinds until a request fails, as it does when the server is
// killed, and reports each that was acknowledged.
func write(c *s3.Client, n int, acked func(acknowledged)) {
	ctx, bucket := context.Background(), aws.String("data")
	r := rand.New(rand.NewPCG(uint64(n), uint64(time.Now().UnixNano())))
	var etag *string
	for i := 0; ; i++ {
		body := make([]byte, []int{10, 1000, 16 << 10, 16<<10 + 1, 200_000}[r.IntN(5)])
		for j := range body {
			body[j] = byte(r.Uint32())
		}
		key, sum := aws.String(fmt.Sprintf("key-%d-%d", n, r.IntN(3))), sha256.Sum256(body)
		switch r.IntN(4) {
		case 0: // a chain of conditional updates of one key
			key = aws.String(fmt.Sprintf("chain-%d", n))
			in := &s3.PutObjectInput{Bucket: bucket, Key: key, Body: bytes.NewReader(body), IfMatch: etag}
			if etag == nil {
				in.IfNoneMatch = aws.String("*")
			}
			out, err := c.PutObject(ctx, in)
			if err != nil {
				return
			}
			etag = out.ETag
			acked(acknowledged{*key, *out.VersionId, sum})
		case 1: // in parts
			u, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
			if err != nil {
				return
			}
			p, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: u.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(body)})
			if err != nil {
				return
			}
			out, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: u.UploadId,
				MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: p.ETag}}}})
			if err != nil {
				return
			}
			acked(acknowledged{*key, *out.VersionId, sum})
		default:
			out, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: bytes.NewReader(body)})
			if err != nil {
				return
			}
			acked(acknowledged{*key, *out.VersionId, sum})
			if i%5 == 4 {
				if _, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key}); err != nil {
					return
				}
			}
		}
	}
}

// Nothing that was acknowledged is lost by kill -9 under load, and nothing is left over.
func TestKillUnderLoad(t *testing.T) {
	const rounds, writers = 4, 6
	dir := t.TempDir()
	var mu sync.Mutex
	var all []acknowledged
	chains := map[string]acknowledged{} // the last of each round's chain
	for round := range rounds {
		p := start(t, "--stay", dir)
		c := client(p.access(t, dir))
		var wg sync.WaitGroup
		enough := make(chan struct{})
		before, want := len(all), len(all)+50+rand.IntN(150)
		for n := range writers {
			wg.Go(func() {
				write(c, round*writers+n, func(a acknowledged) {
					mu.Lock()
					defer mu.Unlock()
					if all = append(all, a); len(all) == want {
						close(enough)
					}
					if a.key == fmt.Sprintf("chain-%d", round*writers+n) {
						chains[a.key] = a
					}
				})
			})
		}
		select {
		case <-enough:
		case <-time.After(limit):
			t.Fatalf("only %d writes", len(all)-before)
		}
		p.stop(t, syscall.SIGKILL)
		wg.Wait()
	}
	p := start(t, "--stay", dir)
	c := client(p.access(t, dir))
	for _, a := range all {
		out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("data"), Key: &a.key, VersionId: &a.version})
		if err != nil {
			t.Errorf("%s@%s is lost: %v", a.key, a.version, err)
			continue
		}
		body, err := io.ReadAll(out.Body)
		out.Body.Close()
		if err != nil || sha256.Sum256(body) != a.sum {
			t.Errorf("%s@%s has other content (%v)", a.key, a.version, err)
		}
	}
	for key, a := range chains {
		versions, err := c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("data"), Prefix: &key, MaxKeys: aws.Int32(1000)})
		if err != nil {
			t.Fatal(err)
		}
		// One that was not acknowledged may have come after it, but nothing else.
		for i, v := range versions.Versions {
			if *v.Key == key && *v.VersionId == a.version && i > 1 {
				t.Errorf("%s: %d versions are newer than the last acknowledged one", key, i)
			}
		}
	}
	if code := p.stop(t, syscall.SIGTERM); code != exitOK {
		t.Errorf("exit code %d on SIGTERM: %s", code, p.stderr.String())
	}
	faults, err := serve.Check(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Errorf("check: %s", f)
	}
	t.Logf("%d acknowledged writes, %d kills", len(all), rounds)
}
