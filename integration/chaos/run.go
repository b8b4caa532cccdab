package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// calmer is how long fewer hosts are ill at once, and then how long more are.
const calmer = 7 * time.Second

// Run makes one run on a new bucket with short times, and reports to e what it finds wrong.
// Odd seeds keep their locks on S3, even ones on DynamoDB.
func Run(e *harness.Env, p Plan) {
	e.Helper()
	e.Logf("chaos: seed %d for %s (again: LATCHFS_CHAOS_SEED=%[1]d)", p.Seed, p.For)
	b := e.Bucket([]harness.Lock{harness.OnDynamoDB, harness.OnS3}[p.Seed%2], harness.Shortest)
	h := newHistory(p)
	writer := &foreign{c: b.S3, r: rand.New(rand.NewPCG(p.Seed, 300))}
	e.Must(writer.setUp(e.Timeout(time.Minute)))
	hosts := members(b, p, h.note)
	e.Sh(hosts[0].Mountpoint, "umask 077; mkdir -p d1 d2; chmod 700 d1 d2") // with markers
	ctx, stop := context.WithCancel(e.Context())
	defer stop()
	var writing sync.WaitGroup
	var failed error
	writing.Go(func() { failed = writer.work(ctx) })
	var workers []*harness.Process
	for i, m := range hosts {
		workers = append(workers, m.startWorkers(p, i*p.Workers, h.began)...)
	}
	for end := time.Now().Add(p.For); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		ill, most := 0, 1+int(time.Until(end)/calmer)%(len(hosts)-1)
		for _, m := range hosts {
			if m.step(ill < most); m.fault != "" {
				ill++
			}
		}
	}
	stop()
	writing.Wait()
	e.Must(failed)
	for _, m := range hosts {
		m.end()
	}
	for _, w := range workers {
		o := w.Wait(2 * time.Minute)
		if o.Code != 0 {
			e.Fatalf("a worker ended with exit code %d\n%s", o.Code, o.Err)
		}
		for text := range strings.Lines(o.Out) {
			var event Event
			e.Must(json.Unmarshal([]byte(text), &event))
			h.events = append(h.events, event)
		}
	}
	settle(e, hosts)
	h.collect(e, b, hosts, writer)
	views(e, h, hosts)
	h.check()
	h.complain(e)
}

// settle waits until everything is in the bucket that any mount or dead session has.
func settle(e *harness.Env, hosts []*member) {
	e.Helper()
	for _, m := range hosts {
		m.Umount()
	}
	for _, m := range hosts {
		m.Mount()
	}
	for _, m := range hosts {
		e.Eventually(2*time.Minute, func() error {
			var left []string
			dirs, err := os.ReadDir(m.StateDir)
			for _, d := range dirs {
				if d.IsDir() {
					left = append(left, d.Name())
				}
			}
			if err != nil || len(left) != 1 {
				return fmt.Errorf("%s has the sessions %q, %w", m.Hostname, left, err)
			}
			return nil
		})
	}
}

// views compares what each host shows in the end with the bucket.
func views(e *harness.Env, h *history, hosts []*member) {
	for _, name := range h.names {
		want := "nothing"
		for key := range h.keys {
			if v := h.last(key); strings.HasPrefix(key, name+"/") && !v.deleted {
				want = "directory"
			}
		}
		if v := h.last(name); want == "nothing" && v != nil && !v.deleted {
			want = "file " + v.content
		}
		for _, m := range hosts {
			got := "nothing"
			if info, err := os.Stat(m.Path(name)); err == nil && info.IsDir() {
				got = "directory"
			} else if content, err := os.ReadFile(m.Path(name)); err == nil {
				got = "file " + string(content)
			} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
				got = err.Error()
			}
			if got != want {
				h.wrong("WRONG VIEW", name, "in the end %s shows %.80q, the bucket has %.80q", m.Hostname, got, want)
			}
		}
	}
}
