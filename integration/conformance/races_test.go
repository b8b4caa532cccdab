package conformance

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// races are the rows on requests at the same time.
func (e *s3Server) races() []row {
	return []row{
		{id: "x01", title: "20 concurrent PUT If-None-Match:*, 50 rounds: one winner each", limit: 120 * time.Second, check: func(ctx context.Context) error {
			bad, worst := 0, 1
			h := map[string]int{}
			for r := 0; r < 50; r++ {
				k := fmt.Sprintf("x01/%d", r)
				w, hh := race(20, func(i int) error {
					_, err := e.put(ctx, e.plain, k, []byte(fmt.Sprint(i)), ifNoneMatch("*"))
					return err
				})
				addHist(h, hh)
				if w != 1 {
					bad++
					if w > worst || w == 0 {
						worst = w
					}
				}
			}
			return verdict(50, bad, 20, worst, h)
		}},
		{id: "x02", title: "20 concurrent PUT If-Match, 50 rounds: one winner each", limit: 120 * time.Second, check: e.updateRace(e.plain, "x02", 50)},
		{id: "x03", title: "same on a versioned bucket, and versions = winners", limit: 120 * time.Second, check: e.updateRace(e.ver, "x03", 50)},
		{id: "x04", title: "20 concurrent CompleteMPU If-None-Match:*, 10 rounds", limit: 120 * time.Second, check: func(ctx context.Context) error {
			bad, worst := 0, 1
			h := map[string]int{}
			for r := 0; r < 10; r++ {
				k := fmt.Sprintf("x04/%d", r)
				ids := make([]string, 20)
				pss := make([][]types.CompletedPart, 20)
				if err := parallel(ctx, 20, 8, func(i int) (err error) {
					ids[i], pss[i], err = e.mpu(ctx, e.plain, k, [][]byte{data(byte(i), 1000)})
					return
				}); err != nil {
					return err
				}
				w, hh := race(20, func(i int) error {
					_, err := e.complete(ctx, e.plain, k, ids[i], pss[i], func(x *s3.CompleteMultipartUploadInput) { x.IfNoneMatch = p("*") })
					return err
				})
				addHist(h, hh)
				if w != 1 {
					bad++
					worst = w
				}
			}
			return verdict(10, bad, 20, worst, h)
		}},
		{id: "x05", title: "20 concurrent CompleteMPU If-Match, 10 rounds", limit: 120 * time.Second, check: func(ctx context.Context) error {
			bad, worst := 0, 1
			h := map[string]int{}
			r0, err := e.put(ctx, e.plain, "x05", []byte("start"))
			if err != nil {
				return err
			}
			et := *r0.ETag
			for r := 0; r < 10; r++ {
				ids := make([]string, 20)
				pss := make([][]types.CompletedPart, 20)
				if err := parallel(ctx, 20, 8, func(i int) (err error) {
					ids[i], pss[i], err = e.mpu(ctx, e.plain, "x05", [][]byte{data(byte(i+r*20), 1000)})
					return
				}); err != nil {
					return err
				}
				w, hh := race(20, func(i int) error {
					_, err := e.complete(ctx, e.plain, "x05", ids[i], pss[i], func(x *s3.CompleteMultipartUploadInput) { x.IfMatch = p(et) })
					return err
				})
				addHist(h, hh)
				if w != 1 {
					bad++
					worst = w
				}
				hd, err := e.head(ctx, e.plain, "x05")
				if err != nil {
					return err
				}
				et = aws.ToString(hd.ETag)
			}
			return verdict(10, bad, 20, worst, h)
		}},
		{id: "x06", title: "conditional DELETE against conditional PUT (same ETag), 50 rounds", limit: 120 * time.Second, check: func(ctx context.Context) error {
			bad, worst := 0, 1
			h := map[string]int{}
			for r := 0; r < 50; r++ {
				k := fmt.Sprintf("x06/%d", r)
				r0, err := e.put(ctx, e.plain, k, []byte("s"))
				if err != nil {
					return err
				}
				var delOK, putOK atomic.Int32
				_, hh := race(8, func(i int) error {
					if i%2 == 0 {
						_, err := e.c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &e.plain, Key: &k, IfMatch: r0.ETag})
						if err == nil {
							delOK.Add(1)
						}
						return err
					}
					_, err := e.put(ctx, e.plain, k, []byte(fmt.Sprint("n", i)), ifMatch(*r0.ETag))
					if err == nil {
						putOK.Add(1)
					}
					return err
				})
				addHist(h, hh)
				_, herr := e.head(ctx, e.plain, k)
				exists := herr == nil
				// allowed: exactly one put wins and object exists and no delete won; or put 0 wins, deletes >=1 (idempotent on absent), object absent
				ok := (putOK.Load() == 1 && delOK.Load() == 0 && exists) || (putOK.Load() == 0 && delOK.Load() >= 1 && !exists)
				if !ok {
					bad++
					worst = int(putOK.Load())*100 + int(delOK.Load())
				}
			}
			if bad > 0 {
				return fmt.Errorf("%d of 50 rounds inconsistent (last: puts*100+deletes = %d); %v", bad, worst, h)
			}
			return nil
		}},
		{id: "x07", title: "20 concurrent CopyObject If-None-Match:*, 10 rounds", check: func(ctx context.Context) error {
			if _, err := e.put(ctx, e.plain, "x07s", []byte("src")); err != nil {
				return err
			}
			bad, worst := 0, 1
			h := map[string]int{}
			for r := 0; r < 10; r++ {
				k := fmt.Sprintf("x07/%d", r)
				w, hh := race(20, func(i int) error {
					_, err := e.c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &e.plain, Key: &k, CopySource: p(e.plain + "/x07s"), IfNoneMatch: p("*")})
					return err
				})
				addHist(h, hh)
				if w != 1 {
					bad++
					worst = w
				}
			}
			return verdict(10, bad, 20, worst, h)
		}},
		{id: "x08", title: "readers never see a torn object: 1 MiB overwritten for 4 s", check: func(ctx context.Context) error {
			mk := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 1<<20-i) }
			if _, err := e.put(ctx, e.plain, "x08", mk(1)); err != nil {
				return err
			}
			end := time.Now().Add(4 * time.Second)
			var wg sync.WaitGroup
			var mu sync.Mutex
			var bad error
			var reads, writes, rerr, werr atomic.Int64
			sample := ""
			for w := 0; w < 4; w++ {
				wg.Add(2)
				go func() {
					defer wg.Done()
					for i := w; time.Now().Before(end); i += 4 {
						if _, err := e.put(ctx, e.plain, "x08", mk(i%250+1)); err != nil {
							werr.Add(1)
							mu.Lock()
							sample = code(err)
							mu.Unlock()
						} else {
							writes.Add(1)
						}
					}
				}()
				go func() {
					defer wg.Done()
					for time.Now().Before(end) {
						d, o, err := e.get(ctx, e.plain, "x08")
						if err != nil {
							rerr.Add(1)
							mu.Lock()
							sample = code(err)
							mu.Unlock()
							continue
						}
						reads.Add(1)
						ok := len(d) > 0 && len(d) == 1<<20-int(d[0])
						for _, b := range d {
							if b != d[0] {
								ok = false
								break
							}
						}
						et := strings.Trim(aws.ToString(o.ETag), `"`)
						if !ok || et != md5hex(d) {
							mu.Lock()
							bad = fmt.Errorf("torn: %d bytes, uniform+length ok=%v, etag matches content=%v", len(d), ok, et == md5hex(d))
							mu.Unlock()
						}
					}
				}()
			}
			wg.Wait()
			if bad != nil {
				return bad
			}
			if rerr.Load()+werr.Load() > 0 {
				return fmt.Errorf("%d reads, %d writes fine, but %d read and %d write errors, e.g. %s", reads.Load(), writes.Load(), rerr.Load(), werr.Load(), sample)
			}
			return nil
		}},
		{id: "x09", title: "PUT and DELETE of siblings in the same new directory, 300 x 8: no error, nothing lost", check: func(ctx context.Context) error {
			_, h := race(8, func(i int) error {
				for r := 0; r < 300; r++ {
					k := fmt.Sprintf("x09/d%d/e/f%d", r%3, i)
					if _, err := e.put(ctx, e.plain, k, []byte("x")); err != nil {
						return fmt.Errorf("put: %w", err)
					}
					if _, err := e.head(ctx, e.plain, k); err != nil {
						return fmt.Errorf("head after put: %w", err)
					}
					if _, err := e.del(ctx, e.plain, k); err != nil {
						return fmt.Errorf("del: %w", err)
					}
				}
				return nil
			})
			if h["ok"] != 8 {
				return fmt.Errorf("%v", h)
			}
			return nil
		}},
		{id: "x10", title: "8 concurrent completes of the same upload: object whole, answers", check: func(ctx context.Context) error {
			h := map[string]int{}
			for r := 0; r < 10; r++ {
				k := fmt.Sprintf("x10/%d", r)
				d := [][]byte{data(1, 5<<20), data(2, 100)}
				id, ps, err := e.mpu(ctx, e.plain, k, d)
				if err != nil {
					return err
				}
				w, hh := race(8, func(i int) error { _, err := e.complete(ctx, e.plain, k, id, ps); return err })
				addHist(h, hh)
				if w < 1 {
					return fmt.Errorf("no complete succeeded: %v", hh)
				}
				if err := e.is(ctx, e.plain, k, bytes.Join(d, nil)); err != nil {
					return err
				}
			}
			for k := range h {
				if strings.HasPrefix(k, "5") {
					return fmt.Errorf("5xx answers: %v", h)
				}
			}
			return infof("object whole in all 10 rounds; answers %v", h)
		}},
		{id: "x11", title: "20 concurrent plain PUTs to one versioned key: 20 versions", check: func(ctx context.Context) error {
			_, h := race(20, func(i int) error { _, err := e.put(ctx, e.ver, "x11", []byte(fmt.Sprint(i))); return err })
			v, _, _, err := e.listVersions(ctx, e.ver, "x11")
			if err != nil {
				return fmt.Errorf("versions: %s", code(err))
			}
			if h["ok"] != len(v) || len(v) != 20 {
				return fmt.Errorf("%d versions listed; answers %v", len(v), h)
			}
			return nil
		}},
	}
}

// updateRace has 20 writers try to replace the same version, many times.
func (e *s3Server) updateRace(bucket, key string, rounds int) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		r0, err := e.put(ctx, bucket, key, []byte("start"))
		if err != nil {
			return err
		}
		et := aws.ToString(r0.ETag)
		bad, worst := 0, 1
		h := map[string]int{}
		total := 0
		for r := 0; r < rounds; r++ {
			w, hh := race(20, func(i int) error {
				_, err := e.put(ctx, bucket, key, []byte(fmt.Sprintf("%d-%d", r, i)), ifMatch(et))
				return err
			})
			addHist(h, hh)
			total += w
			if w != 1 {
				bad++
				if w > worst || w == 0 {
					worst = w
				}
			}
			hd, err := e.head(ctx, bucket, key)
			if err != nil {
				return err
			}
			et = aws.ToString(hd.ETag)
		}
		if err := verdict(rounds, bad, 20, worst, h); err != nil {
			return err
		}
		if bucket == e.ver {
			v, _, _, err := e.listVersions(ctx, bucket, key)
			if err != nil {
				return fmt.Errorf("versions: %s", code(err))
			}
			if len(v) != total+1 {
				return fmt.Errorf("%d versions for %d acknowledged writes", len(v), total+1)
			}
		}
		return nil
	}
}
