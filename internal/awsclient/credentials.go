package awsclient

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/latchfs/latchfs/internal/awserr"
)

const (
	// renewPause is the time between two looks for other credentials: whoever is refused sooner
	// gets the answer to the last one.
	renewPause = time.Second
	// renewTimeout bounds one look. It may run a program, or ask a service.
	renewTimeout = 10 * time.Second
)

// Credentials are those of a configuration, which can be looked for anew. The SDK reads its files
// once: keys that stand in them stay as they were, whatever becomes of its cache.
//
// They are safe for concurrent use, and meant to be shared by all clients of a mount.
type Credentials struct {
	access Access
	log    *slog.Logger

	mu   sync.Mutex
	now  aws.CredentialsProvider
	last aws.Credentials // what now gave last
	look *renewal        // the last look for others, or the one under way
	told bool            // that they are of no use, since they were
}

// A renewal is one look for other credentials.
type renewal struct {
	done  chan struct{}
	ended time.Time // zero as long as it is under way
	err   error
}

// Retrieve implements aws.CredentialsProvider. Where there are none, in the files neither, its
// error is a *CredentialsError.
func (c *Credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	got, err := c.retrieve(ctx)
	if err == nil || ctx.Err() != nil || awserr.Passing(err) {
		return got, err
	}
	c.mu.Lock()
	first := c.last.AccessKeyID == "" // the files were read for this
	c.mu.Unlock()
	if first || c.renewed(ctx) != nil {
		return got, c.useless(err)
	}
	return c.retrieve(ctx)
}

func (c *Credentials) retrieve(ctx context.Context) (aws.Credentials, error) {
	c.mu.Lock()
	from := c.now
	c.mu.Unlock()
	got, err := from.Retrieve(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && from == c.now {
		c.last = got
	}
	return got, err
}

// Renew is for a request that the service has refused because its credentials are not valid, or
// not any more. It looks for others where they came from, also in the SDK's files, and returns nil
// if there are, or if the request's context ended before that was known: it may be sent again.
// Otherwise the error is a *CredentialsError, which the log has, too, but once.
func (c *Credentials) Renew(refused error) error {
	ctx := awserr.Context(refused)
	if c.Replaced(refused) {
		return nil
	}
	if err := c.renewed(ctx); ctx.Err() == nil && (err != nil || !c.Replaced(refused)) {
		return c.useless(refused)
	}
	return nil
}

// Replaced tells whether the credentials at hand are others than those of a request that was
// refused.
func (c *Credentials) Replaced(refused error) bool {
	key, token := awserr.Signer(refused)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.AccessKeyID == key && c.last.SessionToken == token {
		return false
	}
	c.told = false // they may be good
	return true
}

// renewed looks for other credentials, together with all who ask for that at this time.
func (c *Credentials) renewed(ctx context.Context) error {
	c.mu.Lock()
	r := c.look
	if r == nil || !r.ended.IsZero() && time.Since(r.ended) >= renewPause {
		r = &renewal{done: make(chan struct{})}
		c.look = r
		go c.renew(context.WithoutCancel(ctx), r) // others may wait for it
	}
	c.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Credentials) renew(ctx context.Context, r *renewal) {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	r.err = c.Reread(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	r.ended = time.Now()
	close(r.done)
}

// useless is the error for credentials that are of no use. The log says so once, until others were
// found.
func (c *Credentials) useless(cause error) error {
	c.mu.Lock()
	err := &CredentialsError{Advice: advice(c.last.Source, cause), Err: cause}
	first := !c.told
	c.told = true
	c.mu.Unlock()
	if first {
		c.log.Error("the credentials are not valid: calls fail with EACCES, and what was closed is kept and saved once there are new ones, which are looked for by themselves",
			"do", err.Advice, "err", cause)
	}
	return err
}

// Reread reads the SDK's files anew and looks for the credentials that they name. If there are none
// those at hand stay, and the error says why.
func (c *Credentials) Reread(ctx context.Context) error {
	fresh, err := load(ctx, c.access)
	if err != nil {
		return err
	}
	got, err := fresh.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.last = fresh.Credentials, got
	return nil
}
