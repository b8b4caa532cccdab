package file

import (
	"sync"
	"time"
)

// patience is the flush timeout of one close or fsync: it is over when the commit made no
// progress for that long.
type patience struct {
	limit  time.Duration
	onStop func(*patience)

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
	c       chan struct{}
}

// startPatience begins the time; stopped is called by stop.
func startPatience(limit time.Duration, stopped func(*patience)) *patience {
	p := &patience{limit: limit, c: make(chan struct{}), onStop: stopped}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(limit, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.stopped {
			p.stopped = true
			close(p.c)
		}
	})
	return p
}

// over is closed when there is no patience left.
func (p *patience) over() <-chan struct{} { return p.c }

// reset begins the time anew, unless it is over.
func (p *patience) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		p.timer.Reset(p.limit)
	}
}

// stop ends the clock; over is never closed then.
func (p *patience) stop() {
	p.mu.Lock()
	p.stopped = true
	p.timer.Stop()
	p.mu.Unlock()
	p.onStop(p)
}

// newPatience begins the flush timeout of one close or fsync, which every progress of a
// commit of the file resets.
func (f *File) newPatience() *patience {
	p := startPatience(f.t.o.FlushTimeout, func(p *patience) {
		f.waiting.Lock()
		defer f.waiting.Unlock()
		delete(f.waiting.set, p)
	})
	f.waiting.Lock()
	defer f.waiting.Unlock()
	if f.waiting.set == nil {
		f.waiting.set = make(map[*patience]struct{})
	}
	f.waiting.set[p] = struct{}{}
	return p
}

// progress is told of bytes that the server took.
func (f *File) progress() {
	f.waiting.Lock()
	defer f.waiting.Unlock()
	for p := range f.waiting.set {
		p.reset()
	}
}
