package memstore

import (
	"context"

	"github.com/latchfs/latchfs/store"
)

// Lifecycle implements store.API. No rule is ever carried out.
func (b *Bucket) Lifecycle(ctx context.Context) (store.Lifecycle, error) {
	c, err := b.begin(ctx, "Lifecycle", "")
	if err != nil {
		return store.Lifecycle{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lifecycle.Rules) == 0 {
		return store.Lifecycle{}, c.refused("NoSuchLifecycleConfiguration")
	}
	return b.lifecycle, nil
}

// SetLifecycle implements store.API. What it keeps is read from the document, as a server does.
func (b *Bucket) SetLifecycle(ctx context.Context, l store.Lifecycle) error {
	c, err := b.begin(ctx, "SetLifecycle", "")
	if err != nil {
		return err
	}
	rules, err := store.ParseLifecycle(l.Document())
	if err != nil {
		return c.refused("MalformedXML")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lifecycle = store.Lifecycle{Rules: rules, MinimumSize: l.MinimumSize}
	return nil
}

// SetTags implements store.API.
func (b *Bucket) SetTags(ctx context.Context, key, version, tags string) error {
	c, err := b.beginKey(ctx, "SetTags", key)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	v, err := b.find(c, key, version)
	if err != nil {
		return err
	}
	with, err := c.newVersion(store.Props{}, tags)
	if err != nil {
		return err
	}
	changed := *v // readers of the old one may be under way
	changed.tags, changed.props.TagCount = with.tags, with.props.TagCount
	b.objects[key][b.index(key, changed.id)] = &changed
	return nil
}
