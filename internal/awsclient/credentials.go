package awsclient

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Credentials are those of a configuration, which can be looked for anew. The SDK reads its files
// once: keys that stand in them stay as they were, whatever becomes of its cache.
//
// They are safe for concurrent use, and meant to be shared by all clients of a mount.
type Credentials struct {
	access Access

	mu  sync.Mutex
	now aws.CredentialsProvider
}

// Retrieve implements aws.CredentialsProvider.
func (c *Credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	return c.provider().Retrieve(ctx)
}

// Invalidate makes the next request ask the source of the credentials again, where they come from
// a service.
func (c *Credentials) Invalidate() {
	if cache, ok := c.provider().(*aws.CredentialsCache); ok {
		cache.Invalidate()
	}
}

// Reread reads the SDK's files anew and looks for the credentials that they name. If there are none
// those at hand stay, and the error says why.
func (c *Credentials) Reread(ctx context.Context) error {
	fresh, err := load(ctx, c.access)
	if err != nil {
		return err
	}
	if _, err := fresh.Credentials.Retrieve(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = fresh.Credentials
	return nil
}

func (c *Credentials) provider() aws.CredentialsProvider {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}
