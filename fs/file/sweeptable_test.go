package file

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
)

// A tableLink is a session's connection to the lock table.
type tableLink struct {
	lockmgr.Table
	s *session
}

// ask carries one request to the lock table and its answer back, or not.
func ask[T any](ctx context.Context, s *session, verb, name string, apply func(context.Context) (T, error)) (T, error) {
	if _, key, ok := strings.Cut(name, "\x00"); ok {
		verb += " " + key
	}
	var none T
	silence := func() (T, error) {
		<-ctx.Done()
		return none, fmt.Errorf("%s: %w: %w", verb, lockmgr.ErrUnavailable, ctx.Err())
	}
	switch s.meets("table " + verb) {
	case lost, dropped:
		return silence()
	case refusing:
		return none, fmt.Errorf("%s: %w", verb, lockmgr.ErrAccessDenied)
	case unanswered, crash, crashAlone:
		apply(ctx)
		return silence()
	case late:
		s.w.ending.Go(func() {
			<-ctx.Done()
			time.Sleep(lateness)
			apply(context.WithoutCancel(ctx))
		})
		return silence()
	}
	return apply(ctx)
}

func (l tableLink) PutSession(ctx context.Context, ses lockmgr.Session) error {
	_, err := ask(ctx, l.s, "session", "", func(ctx context.Context) (struct{}, error) { return struct{}{}, l.Table.PutSession(ctx, ses) })
	return err
}

func (l tableLink) Beat(ctx context.Context, sid string) ([]string, error) {
	return ask(ctx, l.s, "beat", "", func(ctx context.Context) ([]string, error) { return l.Table.Beat(ctx, sid) })
}

func (l tableLink) GetSession(ctx context.Context, sid string) (lockmgr.Session, error) {
	return ask(ctx, l.s, "look", "", func(ctx context.Context) (lockmgr.Session, error) { return l.Table.GetSession(ctx, sid) })
}

func (l tableLink) KillSession(ctx context.Context, seen lockmgr.Session) (lockmgr.Session, error) {
	return ask(ctx, l.s, "kill", "", func(ctx context.Context) (lockmgr.Session, error) { return l.Table.KillSession(ctx, seen) })
}

func (l tableLink) CloseSession(ctx context.Context, sid string) error {
	_, err := ask(ctx, l.s, "close", "", func(ctx context.Context) (struct{}, error) { return struct{}{}, l.Table.CloseSession(ctx, sid) })
	return err
}

func (l tableLink) AcquireLock(ctx context.Context, k lockmgr.Lock) (lockmgr.Lock, error) {
	return ask(ctx, l.s, "acquire", k.Name, func(ctx context.Context) (lockmgr.Lock, error) { return l.Table.AcquireLock(ctx, k) })
}

func (l tableLink) StealLock(ctx context.Context, k lockmgr.Lock, seen string) (lockmgr.Lock, error) {
	return ask(ctx, l.s, "steal", k.Name, func(ctx context.Context) (lockmgr.Lock, error) { return l.Table.StealLock(ctx, k, seen) })
}

func (l tableLink) ReleaseLock(ctx context.Context, name, nonce string) error {
	_, err := ask(ctx, l.s, "release", name, func(ctx context.Context) (struct{}, error) { return struct{}{}, l.Table.ReleaseLock(ctx, name, nonce) })
	return err
}

func (l tableLink) GetLock(ctx context.Context, name string) (lockmgr.Lock, error) {
	return ask(ctx, l.s, "read", name, func(ctx context.Context) (lockmgr.Lock, error) { return l.Table.GetLock(ctx, name) })
}

func (l tableLink) SendMail(ctx context.Context, sid, name string) error {
	_, err := ask(ctx, l.s, "mail", name, func(ctx context.Context) (struct{}, error) { return struct{}{}, l.Table.SendMail(ctx, sid, name) })
	return err
}
