package contest

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// A Plan says how a contest is to be.
type Plan struct {
	For     time.Duration
	Large   int64           // size of the large file in bytes, more than a mount saves with one request; 0: there is none
	Foreign *harness.Client // by which the foreign writer reaches the bucket
	Flags   []string        // of the mounts
	Expect  []string        // what their logs may say, as Host.Expect
	Pauses  time.Duration   // longest one of the mounts; 0: they are not stopped
}

// Run makes one contest on an empty bucket. It returns what each job came to and leaves the judgement
// to the caller.
func Run(b *harness.Bucket, p Plan) []Result {
	b.Helper()
	jobs := slices.Clone(tasks)
	if p.Large == 0 {
		jobs = slices.DeleteFunc(jobs, func(j task) bool { return j.Job == Large })
	}
	setUp := b.Timeout(time.Minute)
	for _, job := range jobs {
		b.Must(p.Foreign.Put(setUp, string(job.Job)+"/"+first, "start\n"))
	}
	var proxies []*harness.Proxy
	var hosts []*harness.Host
	for _, name := range []string{"one", "two"} {
		proxy := b.Proxy()
		// A mount that believes for a while what it knows of a name meets the foreign writer less often.
		h := b.Through(proxy.URL).Mount(name, slices.Concat(p.Flags, []string{"--metadata-ttl", "0s"})...)
		proxies, hosts = append(proxies, proxy), append(hosts, h.Expect("changed by somebody else"))
		h.Expect("lock heartbeat failed; retrying") // one or two are missed on a loaded machine
		for _, text := range p.Expect {
			h.Expect(text)
		}
	}

	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	writers := make([]*foreign, len(jobs))
	failed := make([]error, len(jobs))
	var writing sync.WaitGroup
	programs := make([][]*harness.Process, len(jobs))
	for i, job := range jobs {
		writers[i] = &foreign{c: p.Foreign, job: job.Job, pause: job.pause}
		writing.Go(func() { failed[i] = writers[i].work(ctx) })
		for _, h := range hosts {
			programs[i] = append(programs[i], h.Program("contest", string(job.Job), h.Path(string(job.Job)), h.Hostname, p.For.String(), strconv.FormatInt(p.Large, 10)))
		}
	}
	for _, h := range hosts {
		writing.Go(func() { stumble(ctx, h, p.Pauses) })
	}
	results := make([]Result, len(jobs))
	lines := make([][]string, len(jobs))
	for i, job := range jobs {
		results[i] = Result{Job: job.Job, Errors: map[string]int{}}
		for _, program := range programs[i] {
			o := program.Wait(p.For + time.Minute)
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
	var all, seen []harness.Request
	for _, proxy := range proxies {
		all = append(all, proxy.Seen(func(harness.Request) bool { return true })...)
		seen = append(seen, proxy.Seen(changes)...)
	}
	judging := b.Timeout(2 * time.Minute)
	for i, job := range jobs {
		r := &results[i]
		r.Foreign = len(writers[i].lines)
		var err error
		if job.Job != Unlink {
			r.Lost, err = lost(judging, p.Foreign, job.Job, append(lines[i], writers[i].lines...))
			b.Must(err)
		}
		r.Blind, err = blind(judging, p.Foreign, job.Job, seen)
		b.Must(err)
		b.Log(r.String())
		if len(r.Lost) > 0 {
			text, err := trace(judging, p.Foreign, job.Job, all)
			b.Must(err)
			b.Log(text)
		}
	}
	return results
}

// stumble stops the mount now and then for a moment, as a loaded machine does, until ctx ends: what it
// does by several requests lies open half-done.
func stumble(ctx context.Context, h *harness.Host, longest time.Duration) {
	if longest == 0 {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(rand.N(2 * longest)):
		}
		unix.Kill(h.PID(), unix.SIGSTOP) // whoever waits for the mount finds out that it has ended
		time.Sleep(rand.N(longest))
		unix.Kill(h.PID(), unix.SIGCONT)
	}
}
