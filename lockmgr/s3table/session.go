package s3table

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/latchfs/latchfs/lockmgr"
)

const (
	// rounds is how often a verb that lost a race looks again within one call.
	rounds = 4
	// mailLimit is how many wishes one beat takes; the rest come with the next ones.
	mailLimit = 100
)

func (t *Table) remember(sid, etag string, rec session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sessions[sid] = known[session]{etag, rec}
}

func busy(verb, what string) error {
	return fmt.Errorf("%s: %s changes all the time: %w", verb, what, lockmgr.ErrUnavailable)
}

// PutSession implements lockmgr.Table.
func (t *Table) PutSession(ctx context.Context, s lockmgr.Session) error {
	rec := session{State: lockmgr.Alive, Host: s.Host, User: s.User, PID: s.PID, Version: s.Version}
	etag, err := t.put(ctx, t.api, "session", sessionKey(s.SID), "", rec)
	if errors.Is(err, errChanged) {
		etag, err = t.get(ctx, t.api, "session", sessionKey(s.SID), &rec)
		if err == nil && etag == "" {
			return busy("session", s.SID)
		}
		if err == nil && rec.State != lockmgr.Alive {
			return fmt.Errorf("session %s is %s: %w", s.SID, rec.State, lockmgr.ErrSessionDead)
		}
	}
	if err == nil {
		t.remember(s.SID, etag, rec)
	}
	return err
}

// Beat implements lockmgr.Table. A 412 is no death yet: an earlier beat may have landed
// whose reply was lost. Only the owner and a killer write the record, so a session that
// is alive is in a state that we wrote.
func (t *Table) Beat(ctx context.Context, sid string) ([]string, error) {
	t.mu.Lock()
	own := t.sessions[sid]
	t.mu.Unlock()
	for range rounds {
		if own.etag != "" {
			rec := own.rec
			rec.Beat++
			etag, err := t.put(ctx, t.beats, "beat", sessionKey(sid), own.etag, rec)
			if err == nil {
				t.remember(sid, etag, rec)
				return t.collect(ctx, sid), nil
			}
			if !errors.Is(err, errChanged) {
				return nil, err
			}
		}
		var err error
		own.rec = session{}
		own.etag, err = t.get(ctx, t.beats, "beat", sessionKey(sid), &own.rec)
		switch {
		case err != nil:
			return nil, err
		case own.etag == "":
			return nil, fmt.Errorf("beat: session %s is gone: %w", sid, lockmgr.ErrSessionDead)
		case own.rec.State != lockmgr.Alive:
			return nil, fmt.Errorf("beat: session %s is %s: %w", sid, own.rec.State, lockmgr.ErrSessionDead)
		}
	}
	return nil, busy("beat", sid)
}

// collect fetches and removes the session's mail. Whatever fails here comes again with the
// next beat, or is sent again by those who wait.
func (t *Table) collect(ctx context.Context, sid string) (names []string) {
	t.requests.Add("collect")
	out, err := t.beats.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &t.bucket, Prefix: aws.String(mailPrefix(sid)),
		MaxKeys: aws.Int32(mailLimit)})
	if err != nil {
		return nil
	}
	for _, o := range out.Contents {
		var rec mail
		etag, err := t.get(ctx, t.beats, "collect", aws.ToString(o.Key), &rec)
		if err == nil && etag != "" {
			names = append(names, string(rec.Name))
		}
		t.requests.Add("collect")
		_, _ = t.beats.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &t.bucket, Key: o.Key})
	}
	return names
}

// GetSession implements lockmgr.Table.
func (t *Table) GetSession(ctx context.Context, sid string) (lockmgr.Session, error) {
	var rec session
	etag, err := t.get(ctx, t.api, "look", sessionKey(sid), &rec)
	return rec.public(sid, etag), err
}

// KillSession implements lockmgr.Table. Both a beat and a kill are conditional on the state
// they saw: of the two exactly one happens.
func (t *Table) KillSession(ctx context.Context, seen lockmgr.Session) (lockmgr.Session, error) {
	if seen.State == lockmgr.Alive && seen.Rev != "" {
		rec := session{State: lockmgr.Dead, Beat: seen.Beat, Host: seen.Host, User: seen.User, PID: seen.PID, Version: seen.Version}
		etag, err := t.put(ctx, t.api, "kill", sessionKey(seen.SID), seen.Rev, rec)
		if err == nil {
			return rec.public(seen.SID, etag), nil
		}
		if !errors.Is(err, errChanged) {
			return lockmgr.Session{}, err
		}
	}
	var rec session
	etag, err := t.get(ctx, t.api, "kill", sessionKey(seen.SID), &rec)
	return rec.public(seen.SID, etag), err
}

// CloseSession implements lockmgr.Table.
func (t *Table) CloseSession(ctx context.Context, sid string) error {
	t.mu.Lock()
	own := t.sessions[sid]
	delete(t.sessions, sid)
	t.mu.Unlock()
	for range rounds {
		if own.etag != "" {
			rec := own.rec
			rec.State = lockmgr.Closed
			_, err := t.put(ctx, t.api, "close", sessionKey(sid), own.etag, rec)
			if err == nil || !errors.Is(err, errChanged) {
				return err
			}
		}
		var err error
		own.rec = session{}
		own.etag, err = t.get(ctx, t.api, "close", sessionKey(sid), &own.rec)
		if err != nil || own.etag == "" || own.rec.State == lockmgr.Closed {
			return err
		}
	}
	return busy("close", sid)
}

// SendMail implements lockmgr.Table. One object for each wish: the session's own object is
// written by nobody but its owner and its killer.
func (t *Table) SendMail(ctx context.Context, sid, name string) error {
	_, err := t.put(ctx, t.api, "mail", mailKey(sid, name), "", mail{Name: []byte(name)})
	if errors.Is(err, errChanged) {
		return nil // it has that wish already
	}
	return err
}
