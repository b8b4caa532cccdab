package store

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A scene is a run of requests about a key that nobody else has. After an answer that is not clear,
// or that refuses what has to be granted, nothing more of it is of use: see over.
type scene struct {
	*prober
	ctx context.Context
	key string

	end     sync.Mutex // guards what follows
	unclear error      // of a request that was not answered
	doubt   *sight     // a condition that holds was refused
}

// over tells whether the scene has come to its end before its time.
func (s *scene) over() bool {
	s.end.Lock()
	defer s.end.Unlock()
	return s.unclear != nil || s.doubt != nil
}

// together does several things at the same time.
func together(do ...func()) {
	var all sync.WaitGroup
	for _, f := range do {
		all.Go(f)
	}
	all.Wait()
}

// probing is the permit of all that a probe sends.
var probing = Unleased("a random name below " + ProbePrefix)

// once makes one attempt.
func once[T any](s *scene, op string, request func(context.Context) (T, error)) (T, error) {
	a := attempt{op: op, key: s.key, permit: probing, limit: attemptTimeout}
	if s.ctx.Err() != nil {
		var none T
		return none, a.failed(Unsent, context.Cause(s.ctx))
	}
	v, err := try(s.attempts, s.c, a, func(ctx context.Context, _ *watch) (T, error) { return request(ctx) })
	s.hear()
	return v, err
}

// hear notes the name of the server, of the last answer to whomever.
func (s *scene) hear() {
	if name := s.c.Server(); name != "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.servers[name] = true
	}
}

// A sending is how often a request may be sent.
type sending bool

const (
	// single: not again after an attempt that may have had its effect: a new scene begins.
	single sending = false
	// repeated: until it is answered. To send it twice does no harm, and what it shows is the same.
	repeated sending = true
)

// ask makes attempts until one is answered, or may have had its effect.
func ask[T any](s *scene, how sending, op string, request func(context.Context) (T, error)) (T, error) {
	began, pause := time.Now(), pauses()
	for {
		v, err := once(s, op, request)
		fate := fateOf(err)
		if err == nil || fate == Refused || fate == Unknown && how == single ||
			time.Since(began) >= readPatience || !pause.Wait(s.ctx, nil) {
			return v, err
		}
	}
}

// A reply is what a server says to a request.
type reply int

const (
	yes     reply = iota
	no            // as to a condition that does not hold
	strange       // refused in another way
	nothing       // that shows anything
)

// read tells what the error of a request says. Where it was not answered the scene is over.
func (s *scene) read(op string, err error) reply {
	switch {
	case err == nil:
		return yes
	case errors.Is(err, ErrAccessDenied) && op != "Put":
		s.deny(op, err)
		return nothing
	case fateOf(err) != Refused, errors.Is(err, ErrBusy), errors.Is(err, ErrNoBucket), errors.Is(err, ErrAccessDenied):
		s.end.Lock()
		defer s.end.Unlock()
		s.unclear = err
		return nothing
	case errors.Is(err, ErrPrecondition), errors.Is(err, ErrNotFound):
		return no
	}
	return strange
}

// grants checks the answer to a request whose condition holds, and tells whether it was granted.
func (s *scene) grants(flaw Flaws, op, what string, err error) bool {
	switch s.read(op, err) {
	case yes:
		return true
	case no:
		s.end.Lock()
		defer s.end.Unlock()
		s.doubt = &sight{flaw: flaw, sentence: s3Name[op] + " refuses " + what}
	case strange:
		s.note(sight{flaw: flaw, sentence: s3Name[op] + " does not take " + what})
	}
	return false
}

// refuses checks the answer to a request whose condition does not hold, and gives it.
func (s *scene) refuses(flaw Flaws, op, what string, err error) reply {
	if errors.Is(err, ErrBusy) {
		return no // because of another request; it was not granted either
	}
	r := s.read(op, err)
	switch r {
	case yes:
		s.note(sight{flaw: flaw, sentence: s3Name[op] + " ignores " + what})
	case strange:
		s.note(sight{flaw: flaw, sentence: s3Name[op] + " does not take " + what})
	}
	return r
}

// s3Name gives the requests the names that S3 has for them.
var s3Name = map[string]string{
	"Put": "PutObject", "Get": "GetObject", "Head": "HeadObject", "Copy": "CopyObject", "Delete": "DeleteObject", "CreateUpload": "CreateMultipartUpload",
	"UploadPart": "UploadPart", "CopyPart": "UploadPartCopy", "CompleteUpload": "CompleteMultipartUpload",
	"AbortUpload": "AbortMultipartUpload", "ListVersions": "ListObjectVersions",
}
