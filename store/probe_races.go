package store

import (
	"context"
	"errors"
	"maps"
	"sync"
)

const (
	raceRounds = 3
	racers     = 8
)

// races are what a probe plays with racers, by name.
func (p *prober) races() map[string]func(*scene) {
	all := map[string]func(*scene){"put-race": (*scene).racePut, "complete-race": (*scene).raceComplete, "delete-race": (*scene).raceDelete}
	shows := map[string]Flaws{"put-race": PutConditions, "complete-race": CompleteConditions, "delete-race": DeleteConditions}
	maps.DeleteFunc(all, func(name string, _ func(*scene)) bool {
		return !p.wants(shows[name]) || p.flaws(false).Has(shows[name])
	})
	return all
}

// race lets all begin at the same moment, one attempt each, and gives who is known to have won. Without
// any the scene is over, unless all have lost.
func race[T any](s *scene, op func(n int) string, run func(ctx context.Context, n int) (T, error)) (winners []T) {
	var all sync.WaitGroup
	begin := make(chan struct{})
	won, failed := make([]*T, racers), make([]error, racers)
	for n := range racers {
		all.Go(func() {
			<-begin
			v, err := once(s, op(n), func(ctx context.Context) (T, error) { return run(ctx, n) })
			if err == nil {
				won[n] = &v
			}
			failed[n] = err
		})
	}
	close(begin)
	all.Wait()
	for _, v := range won {
		if v != nil {
			winners = append(winners, *v)
		}
	}
	for n, err := range failed {
		if len(winners) == 0 && !errors.Is(err, ErrBusy) { // who was in the way of another has lost
			s.read(op(n), err)
		}
	}
	return winners
}

// always gives the same operation to each racer.
func always(op string) func(int) string { return func(int) string { return op } }

// wins judges a race among requests of which one may win. It tells whether the winner is known.
func (s *scene) wins(flaw Flaws, op string, winners []Info) bool {
	switch {
	case len(winners) > 1:
		s.note(sight{flaw, s3Name[op] + " lets several racers win", true})
		return false
	case s.over():
		return false
	case len(winners) == 0:
		// Nothing is lost by that; it shows nothing either.
		s.end.Lock()
		defer s.end.Unlock()
		s.doubt = &sight{raced: true}
		return false
	}
	return true
}

// after is the condition that holds once i was made, or before anything was.
func after(i Info) Condition {
	if i.ETag == "" {
		return ifNone
	}
	return ifMatch(i)
}

func (s *scene) racePut() {
	var now Info
	for range raceRounds {
		won := s.racingPuts(now)
		if !s.wins(PutConditions, "Put", won) {
			return
		}
		now = won[0]
	}
}

// racingPuts lets PUTs race for the place of what is there.
func (s *scene) racingPuts(now Info) []Info {
	return race(s, always("Put"), func(ctx context.Context, _ int) (Info, error) {
		i, err := s.c.api.Put(ctx, putRequest(s.key, after(now), content()))
		s.keep(s.key, i, err)
		return i, err
	})
}

func (s *scene) raceComplete() {
	var now Info
	for range raceRounds {
		var in [racers]CompleteRequest
		prepare := make([]func(), racers)
		for n := range in {
			prepare[n] = func() { in[n] = s.prepareComplete(after(now)) }
		}
		together(prepare...)
		if s.over() {
			return
		}
		for _, in := range in {
			if in.Parts == nil {
				return // there are no uploads, as was seen before
			}
		}
		won := race(s, always("CompleteUpload"), func(ctx context.Context, n int) (Info, error) {
			i, err := s.c.api.CompleteUpload(ctx, in[n])
			s.closed(in[n].Upload, err)
			s.keep(s.key, i, err)
			return i, err
		})
		if !s.wins(CompleteConditions, "CompleteUpload", won) {
			return
		}
		now = won[0]
	}
}

// prepareComplete uploads what only has to be completed; without parts if that cannot be done.
func (s *scene) prepareComplete(cond Condition) (in CompleteRequest) {
	text := content()
	upload, err := s.createUpload()
	if s.read("CreateUpload", err) != yes {
		return in
	}
	part, err := s.uploadPart(upload, text)
	if s.read("UploadPart", err) == yes {
		in = CompleteRequest{Key: s.key, Upload: upload, Cond: cond, Parts: []Part{part}, Size: int64(len(text))}
	}
	return in
}

// raceDelete lets as many DELETEs as PUTs race for one object.
func (s *scene) raceDelete() {
	var now Info
	for round := range raceRounds {
		if now.ETag == "" {
			if now = s.create(content()); s.over() || now.ETag == "" {
				return
			}
		}
		deletes := func(n int) bool { return (n+round)%2 == 0 } // whoever begins first
		won := race(s, func(n int) string {
			if deletes(n) {
				return "Delete"
			}
			return "Put"
		}, func(ctx context.Context, n int) (i Info, err error) {
			if deletes(n) {
				i.VersionID, err = marker, s.c.api.Delete(ctx, DeleteRequest{Key: s.key, IfMatch: now.ETag})
			} else {
				i, err = s.c.api.Put(ctx, putRequest(s.key, ifMatch(now), content()))
			}
			s.keep(s.key, i, err)
			return i, err
		})
		now = Info{}
		var gone bool
		for _, i := range won {
			if i.VersionID == marker {
				gone = true
			} else {
				now = i
			}
		}
		if gone && now.ETag != "" {
			s.note(sight{DeleteConditions, "DeleteObject and PutObject both win a race for an object", true})
			return
		}
		if s.over() || len(won) == 0 && !s.wins(DeleteConditions, "Delete", nil) {
			return
		}
	}
}
