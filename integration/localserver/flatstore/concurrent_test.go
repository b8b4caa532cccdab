package flatstore

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/s3response"
)

// Of many who read a number and write the next one under its ETag, none is lost.
func TestConcurrentCounter(t *testing.T) {
	for _, bucket := range []string{"p", "v"} {
		t.Run(bucket, func(t *testing.T) {
			s := openStore(t)
			mustPut(t, s, bucket, "n", []byte("0"))
			const workers, each = 8, 50
			var wg sync.WaitGroup
			for range workers {
				wg.Go(func() {
					for done := 0; done < each; {
						o, err := s.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: ptr("n")})
						if err != nil {
							t.Error(err)
							return
						}
						var b bytes.Buffer
						b.ReadFrom(o.Body)
						o.Body.Close()
						n, _ := strconv.Atoi(b.String())
						_, err = put(s, bucket, "n", []byte(fmt.Sprint(n+1)), func(in *s3response.PutObjectInput) { in.IfMatch = o.ETag })
						switch errorCode(err) {
						case "":
							done++
						case "PreconditionFailed":
						default:
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			if got, _ := get(s, bucket, "n"); string(got) != fmt.Sprint(workers*each) {
				t.Errorf("the counter is %s, want %d", got, workers*each)
			}
		})
	}
}

// Writers, copiers, deleters and readers of few keys: a reader always gets what belongs
// to the ETag it was told, and in the end the index and the files agree.
func TestConcurrentMix(t *testing.T) {
	s := openStore(t)
	const workers, steps = 8, 150
	var wg sync.WaitGroup
	for w := range workers {
		r := rand.New(rand.NewPCG(uint64(w), 7))
		wg.Go(func() {
			for range steps {
				bucket, key := []string{"p", "v"}[r.IntN(2)], fmt.Sprint(r.IntN(3))
				var err error
				switch r.IntN(5) {
				case 0:
					_, err = put(s, bucket, key, bytes.Repeat([]byte{byte(r.IntN(256))}, r.IntN(2*inlineMax)))
				case 1:
					_, err = s.CopyObject(context.Background(), s3response.CopyObjectInput{Bucket: &bucket, Key: ptr("copy"), CopySource: ptr("p/" + key)})
				case 2:
					_, err = s.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
				default:
					var o *s3.GetObjectOutput
					if o, err = s.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key}); err == nil {
						var b bytes.Buffer
						_, err = b.ReadFrom(o.Body)
						o.Body.Close()
						if *o.ETag != *quoted(etagOf(b.Bytes())) {
							t.Errorf("ETag %s, content %s", *o.ETag, etagOf(b.Bytes()))
						}
					}
				}
				if code := errorCode(err); code != "" && code != "NoSuchKey" {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
