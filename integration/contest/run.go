package contest

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// Run makes one contest on an empty bucket, which foreign clients reach through c and mounts through
// b. The mounts get these flags. It returns what each job came to and leaves the judgement to the caller.
func Run(b *harness.Bucket, c *harness.Client, limit time.Duration, flags ...string) []Result {
	b.Helper()
	setUp := b.Timeout(time.Minute)
	for _, job := range Jobs {
		b.Must(c.Put(setUp, string(job.Job)+"/"+first, "start\n"))
	}
	var proxies []*harness.Proxy
	var hosts []*harness.Host
	for _, name := range []string{"one", "two"} {
		p := b.Proxy()
		// A mount that believes for a while what it knows of a name meets the foreign writer less often.
		h := b.Through(p.URL).Mount(name, append(flags, "--metadata-ttl", "0s")...)
		proxies, hosts = append(proxies, p), append(hosts, h.Expect("changed by somebody else"))
	}

	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	writers := make([]*foreign, len(Jobs))
	failed := make([]error, len(Jobs))
	var writing sync.WaitGroup
	programs := make([][]*harness.Process, len(Jobs))
	for i, job := range Jobs {
		writers[i] = &foreign{c: c, job: job.Job, pause: job.pause}
		writing.Go(func() { failed[i] = writers[i].work(ctx) })
		for _, h := range hosts {
			programs[i] = append(programs[i], h.Program("contest", string(job.Job), h.Path(string(job.Job)), h.Hostname, limit.String()))
		}
	}
	results := make([]Result, len(Jobs))
	lines := make([][]string, len(Jobs))
	for i, job := range Jobs {
		results[i] = Result{Job: job.Job, Errors: map[string]int{}}
		for _, p := range programs[i] {
			o := p.Wait(limit + time.Minute)
			var t Tally
			if err := json.Unmarshal([]byte(o.Out), &t); err != nil || o.Code != 0 {
				b.Fatalf("the program of %s: exit code %d, %v\n%s%s", job.Job, o.Code, err, o.Out, o.Err)
			}
			results[i].Host += t.Done
			lines[i] = append(lines[i], t.Lines...)
			for name, n := range t.Errors {
				results[i].Errors[name] += n
			}
		}
	}
	stop()
	writing.Wait()
	for _, err := range failed {
		b.Must(err)
	}
	// What a mount has kept for later is in the bucket afterwards.
	for _, h := range hosts {
		h.Umount()
	}
	var seen []harness.Request
	for _, p := range proxies {
		seen = append(seen, p.Seen(changes)...)
	}
	judging := b.Timeout(2 * time.Minute)
	for i, job := range Jobs {
		r := &results[i]
		r.Foreign = len(writers[i].lines)
		var err error
		if job.Job != Unlink {
			r.Lost, err = lost(judging, c, job.Job, append(lines[i], writers[i].lines...))
			b.Must(err)
		}
		r.Blind, err = blind(judging, c, job.Job, seen)
		b.Must(err)
		b.Log(r.String())
	}
	return results
}
