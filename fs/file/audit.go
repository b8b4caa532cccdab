package file

import (
	"context"

	"github.com/latchfs/latchfs/store"
)

// Every commit carries an audit (store.Audit). A file's is fixed when it is sealed and stands in
// the journal, so that a recovery writes that of the host and the user who wrote. What has several
// authors is said to be of the last one.

type userKey struct{}

// WithUser names the user for whom something is done, for the audit.
func WithUser(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, userKey{}, name)
}

// userOf gives the user that WithUser named, "" if nobody did.
func userOf(ctx context.Context) string {
	name, _ := ctx.Value(userKey{}).(string)
	return name
}

// audit is that of a seal. Something is meta only if it changes no bytes of what is there.
func (f *File) audit(copied bool) store.Audit {
	a := store.Audit{Host: f.t.o.Host, User: f.core.content.tail.user, What: store.WhatWrite}
	if copied {
		a.What = store.WhatMeta
	}
	return a
}
