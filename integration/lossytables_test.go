package integration

import (
	"bytes"
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/dynamo"
	"github.com/latchfs/latchfs/lockmgr/s3table"
)

// A lossyTransport loses answers of requests that were served, and sends some twice.
type lossyTransport struct {
	lost, doubled atomic.Int64
}

var errLostAnswer = errors.New("connection reset by peer")

func (l *lossyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet && rand.IntN(10) == 0 {
		var body []byte
		if r.Body != nil {
			var err error
			if body, err = io.ReadAll(r.Body); err != nil {
				return nil, err
			}
			r.Body.Close()
		}
		twin := r.Clone(r.Context())
		r.Body, twin.Body = io.NopCloser(bytes.NewReader(body)), io.NopCloser(bytes.NewReader(body))
		if resp, err := http.DefaultTransport.RoundTrip(twin); err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			l.doubled.Add(1)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && rand.IntN(7) == 0 {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		l.lost.Add(1)
		return nil, errLostAnswer
	}
	return resp, err
}

// Answers of the lock table that are lost, and requests that are served twice, are no
// news for anybody: no session dies, no two hosts hold one lock, none stays behind.
func TestLockTablesLossy(t *testing.T) {
	t.Parallel()
	times := lockmgr.Timing{Beat: 500 * time.Millisecond, Lease: 15 * time.Second, Delay: 15 * time.Second}
	kinds := map[string]func(t *testing.T, tr http.RoundTripper, table string) lockmgr.Table{
		"ministack": lossyDynamo(suite.DynamoDB), "dynalite": lossyDynamo(suite.Dynalite),
		"s3": func(t *testing.T, tr http.RoundTripper, table string) lockmgr.Table { return s3Table(t, tr, table) },
		"s3 that removes": func(t *testing.T, tr http.RoundTripper, table string) lockmgr.Table {
			tab := s3Table(t, tr, table)
			tab.RemoveReleased()
			return tab
		},
	}
	for kind, open := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			table := "lossy-" + strings.ToLower(cryptorand.Text())
			cfg, _, err := open(t, nil, table).Init(t.Context(), lockmgr.Config{Timing: times})
			if err != nil {
				t.Fatal(err)
			}
			var tr lossyTransport
			var hosts []*lockmgr.Manager
			var holders [2]atomic.Int32
			var rounds atomic.Int32
			var work sync.WaitGroup
			end := time.Now().Add(6 * time.Second)
			for i := range 3 {
				name := fmt.Sprint("host", i)
				m := lockmgr.New(open(t, &tr, table), cfg, lockmgr.Options{BucketID: "b", Name: name, Host: name})
				hosts = append(hosts, m)
				for k := range 2 {
					work.Go(func() {
						for time.Now().Before(end) {
							l, err := m.Acquire(t.Context(), fmt.Sprint("k", k), time.Minute)
							if err != nil {
								t.Error(err)
								return
							}
							if n := holders[k].Add(1); n != 1 || l.Check() != nil {
								t.Errorf("%d holders; Check: %v", n, l.Check())
							}
							time.Sleep(rand.N(20 * time.Millisecond))
							if err := l.Check(); err != nil {
								t.Error(err)
							}
							holders[k].Add(-1)
							l.Release()
							rounds.Add(1)
							time.Sleep(rand.N(20 * time.Millisecond))
						}
					})
				}
			}
			work.Wait()
			for _, m := range hosts {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				if err := m.Close(ctx); err != nil {
					t.Error(err)
				}
				if s := m.Sessions(); len(s) != 1 {
					t.Errorf("sessions %v: one was lost", s)
				}
			}
			check := open(t, nil, table)
			for k := range holders {
				if l, err := check.GetLock(t.Context(), fmt.Sprint("b\x00k", k)); err != nil || l.Nonce != "" {
					t.Errorf("left behind: %+v, %v", l, err)
				}
			}
			t.Logf("%d rounds, %d answers lost, %d requests served twice", rounds.Load(), tr.lost.Load(), tr.doubled.Load())
			if rounds.Load() < 20 || tr.lost.Load() < 20 || tr.doubled.Load() < 10 {
				t.Error("too little happened")
			}
		})
	}
}

// s3Table is the lock table in a bucket of the suite's S3 server.
func s3Table(t *testing.T, tr http.RoundTripper, bucket string) *s3table.Table {
	e, err := suite.S3()
	if err != nil {
		t.Fatal(err)
	}
	tab, err := s3table.Open(t.Context(), s3table.Config{Bucket: bucket, Region: "us-east-1", Endpoint: e.URL,
		PathStyle: true, AccessKey: e.AccessKey, SecretKey: e.SecretKey, Transport: tr})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func lossyDynamo(server func() (harness.Endpoint, error)) func(*testing.T, http.RoundTripper, string) lockmgr.Table {
	return func(t *testing.T, tr http.RoundTripper, table string) lockmgr.Table {
		e, err := server()
		if err != nil {
			t.Fatal(err)
		}
		tab, err := dynamo.Open(t.Context(), dynamo.Config{Table: table, Region: "us-east-1", Endpoint: e.URL,
			AccessKey: e.AccessKey, SecretKey: e.SecretKey, Transport: tr})
		if err != nil {
			t.Fatal(err)
		}
		return tab
	}
}
