package mount

import (
	"sync"
	"time"
)

// recoverLast is the longest time between two tries of a recovery that fails: each says so in the log, and may
// send once more what the bucket refuses.
const recoverLast = 5 * time.Minute

// tries tells when a recovery that has failed is tried again: after recoverInterval, then after twice the
// time that it was the last time. The zero value is ready.
type tries struct {
	mu   sync.Mutex
	last map[string]try // by session name
}

// A try is the last one of a session that has failed.
type try struct {
	at    time.Time
	pause time.Duration
}

// due tells whether the session may be tried now. What comes by a ticker of recoverInterval may come a bit early.
func (t *tries) due(session string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, ok := t.last[session]
	return !ok || time.Since(last.at) >= last.pause-recoverInterval/2
}

// failed notes a try that failed, and gives the time until the next one.
func (t *tries) failed(session string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		t.last = map[string]try{}
	}
	pause := min(max(recoverInterval, 2*t.last[session].pause), recoverLast)
	t.last[session] = try{time.Now(), pause}
	return pause
}
