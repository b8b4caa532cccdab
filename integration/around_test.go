package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/latchfs/latchfs/integration/harness"
)

// TestG1OnServersThatIgnoreConditions: on servers that ignore conditions a mount finds that out and goes around
// it. A foreign writer, who changes objects only as he has seen them, loses nothing that he was told is
// written: to chmod, touch, rename onto his object, and closes of 20 MB. Each version that the mount makes lies
// right above the one that it says it was made of.
// SEMANTICS G1, Servers
func TestG1OnServersThatIgnoreConditions(t *testing.T) {
	t.Parallel()
	for name, ignored := range map[string]harness.Conditions{
		"copy": harness.OnCopy, "complete": harness.OnComplete, "copy and complete": harness.OnCopy | harness.OnComplete,
		"copy and source of a part": harness.OnCopy | harness.OnPartSource,
	} {
		t.Run(name, func(t *testing.T) {
			e := suite.New(t)
			server, err := e.Suite.S3()
			e.Must(err)
			b := e.NoBucketOn(e.StrippingServer(server, ignored), harness.OnS3, harness.Patient)
			b.Init()
			besideForeignWriter(e, b, harness.NewClient(server, b.Name))
		})
	}
}

// besideForeignWriter lets programs on a mount and a foreign writer change the same objects. The foreign
// writer's server honours conditions.
func besideForeignWriter(e *harness.Env, b *harness.Bucket, foreign *harness.Client) {
	e.Helper()
	ctx := e.Timeout(2 * time.Minute)
	scripts := map[string]string{
		"chmod": "chmod 600 chmod; chmod 644 chmod",
		"touch": "touch touch",
		"mv":    "echo new > mv.new && mv mv.new mv",
		"close": "head -c 20000000 /dev/zero > close",
	}
	for key := range scripts {
		e.Must(foreign.Put(ctx, key, "start\n"))
	}
	// A change that comes too late is told to the program, and what it wrote is kept beside the name.
	h := b.Mount("one").Expect("changed").Expect("does not keep a")
	stop, end := context.WithCancel(ctx)
	var writers sync.WaitGroup
	var mu sync.Mutex
	acknowledged := map[string]int{}
	for key := range scripts {
		writers.Go(func() {
			for i := 0; stop.Err() == nil; i++ {
				pause := 60
				if key == "close" { // which takes long, and shall be done now and then
					pause = 1500
				}
				time.Sleep(time.Duration(rand.IntN(pause)) * time.Millisecond)
				head, err := foreign.Head(ctx, key)
				if err != nil {
					e.Error(err)
					return
				}
				ok, err := foreign.PutIfMatch(ctx, key, fmt.Appendf(nil, "foreign %d\n", i), *head.ETag)
				if err != nil {
					e.Error(err)
					return
				}
				if ok {
					mu.Lock()
					acknowledged[key]++
					mu.Unlock()
				}
			}
		})
	}
	for began := time.Now(); time.Since(began) < 8*time.Second; {
		for _, script := range scripts {
			e.TrySh(h.Mountpoint, script)
		}
	}
	end()
	writers.Wait()
	for key := range scripts {
		history, err := foreign.History(ctx, key)
		e.Must(err)
		ours, theirs := 0, 0
		for i, v := range history {
			if v.Deleted {
				e.Errorf("%s: a delete marker", key)
				continue
			}
			head, err := foreign.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &foreign.Bucket, Key: &key, VersionId: &v.ID})
			e.Must(err)
			base, made := head.Metadata["latchfs-base"]
			if !made {
				theirs++
				continue
			}
			ours++
			if base, err = url.PathUnescape(base); err != nil || i == 0 || base != history[i-1].ID {
				e.Errorf("%s: version %d of the mount was made of %s, and lies above %v", key, i, base, history[max(i, 1)-1])
			}
		}
		// The first one was there before.
		if theirs != acknowledged[key]+1 {
			e.Errorf("%s: %d changes of the foreign writer were acknowledged, and %d are there", key, acknowledged[key], theirs-1)
		}
		if ours < 2 || theirs < 4 {
			e.Errorf("%s: %d versions of the mount beside %d foreign ones: no contest", key, ours, theirs)
		}
		e.Logf("%s: %d versions of the mount, %d of the foreign writer", key, ours, theirs)
	}
}
