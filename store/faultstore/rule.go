package faultstore

import (
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/latchfs/latchfs/store"
)

// A Rule gives a fault to the requests that it matches. It takes effect with the call that
// says which fault. Of several rules that match a request the first one decides.
type Rule struct {
	s       *Store
	op, key string // "" matches all
	nth     int    // 0 matches all
	fault   Fault

	// Guarded by s.mu.
	seen, fired int
}

// On begins a rule for an operation, named as the method of store.API that makes it; "" for all. It panics on another name, because a rule
// that never matches would be a test that cannot fail.
func (s *Store) On(op string) *Rule {
	if op != "" && !slices.Contains(reads, op) && !slices.Contains(writes, op) {
		panic(fmt.Sprintf("faultstore: no operation %q", op))
	}
	return &Rule{s: s, op: op}
}

// Key restricts a rule to keys that match a pattern of package path.
func (r *Rule) Key(pattern string) *Rule {
	if _, err := path.Match(pattern, ""); err != nil {
		panic(fmt.Sprintf("faultstore: pattern %q: %v", pattern, err))
	}
	r.key = pattern
	return r
}

// Nth restricts a rule to the n-th request that it matches otherwise, from 1.
func (r *Rule) Nth(n int) *Rule {
	r.nth = n
	return r
}

// Fail ends the attempt with that fate and error before it reaches the server.
func (r *Rule) Fail(fate store.Fate, err error) *Rule {
	return r.Do(Fault{Err: &store.AttemptError{Fate: fate, Err: err}})
}

// Delay makes the request late; its answer comes back.
func (r *Rule) Delay(d time.Duration) *Rule { return r.Do(Fault{Delay: d}) }

// Hang swallows the request: the client waits until its context ends.
func (r *Rule) Hang() *Rule { return r.Do(Fault{Hang: true}) }

// LoseReply applies the request and breaks the connection instead of answering.
func (r *Rule) LoseReply() *Rule { return r.Do(Fault{LoseReply: true}) }

// Late breaks the connection and applies the request d later.
func (r *Rule) Late(d time.Duration) *Rule { return r.Do(Fault{Late: d}) }

// Resend applies the request twice and answers the second time.
func (r *Rule) Resend() *Rule { return r.Do(Fault{Resend: true}) }

// Duplicate applies the request, answers, and applies it again d later.
func (r *Rule) Duplicate(d time.Duration) *Rule { return r.Do(Fault{Duplicate: d}) }

// Do is the general form of the others.
func (r *Rule) Do(f Fault) *Rule {
	r.fault = f
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.rules = append(r.s.rules, r)
	return r
}

// Fired tells how many requests got the rule's fault.
func (r *Rule) Fired() int {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.fired
}

// matches tells whether the rule is for this request, and counts it. s.mu is held.
func (r *Rule) matches(c call) bool {
	if r.op != "" && r.op != c.op {
		return false
	}
	if ok, _ := path.Match(r.key, c.key); r.key != "" && !ok {
		return false
	}
	r.seen++
	return r.nth == 0 || r.nth == r.seen
}
