package file

import (
	"sync"
	"time"
)

// mostReports is how many commits that take long are told of at the same time: while the bucket does
// not answer any user can have as many as he likes.
const mostReports = 16

// A report names what a commit that takes long is at (LOCKS P4.4).
type report struct {
	f     *File
	key   string
	size  int64
	began time.Time

	mu     sync.Mutex
	place  bool // it is one of the mostReports that are told
	timer  *time.Timer
	ended  bool
	done   int64
	reason error // why the last attempt has no answer; nil while all goes well
}

// startReport begins the log lines; end ends them.
func (f *File) startReport(key string, size int64) *report {
	r := &report{f: f, key: key, size: size, began: time.Now()}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = time.AfterFunc(reportEvery, r.line)
	return r
}

func (r *report) line() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	defer r.timer.Reset(reportEvery)
	if r.place = r.place || r.f.t.reports.Add(1) <= mostReports; !r.place {
		r.f.t.reports.Add(-1)
		return
	}
	log, args := r.f.t.o.Log, []any{"key", r.key, "done", r.done, "of", r.size, "for", time.Since(r.began).Round(time.Second)}
	if r.reason != nil {
		log.Warn("saving a file goes on", append(args, "err", r.reason)...)
	} else {
		log.Info("saving a file goes on", args...)
	}
}

// progress is told of n more bytes that the server took.
func (r *report) progress(n int64) {
	r.mu.Lock()
	r.done += n
	r.reason = nil
	r.mu.Unlock()
	r.f.progress()
}

// unanswered is told that the outcome of an attempt has become unknown.
func (r *report) unanswered(err error) {
	r.mu.Lock()
	r.reason = err
	r.mu.Unlock()
	r.f.progress()
}

func (r *report) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.timer.Stop()
	if r.place {
		r.place = false
		r.f.t.reports.Add(-1)
	}
}
