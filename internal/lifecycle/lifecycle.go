// Package lifecycle shows and sets the rules by which the service itself removes old versions and
// uploads that nobody completed.
//
// The service knows only the whole set of a bucket's rules: a request replaces all of them, without a
// condition. Rules are ours by their ids (ExpireID, AbortID); those of others are put back to the
// byte. Set looks right before it writes and again after that, so that what somebody else sets at the
// same time is told, but it cannot be kept from being lost between the two.
package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/latchfs/latchfs/internal/wait"
	"github.com/latchfs/latchfs/store"
)

// The ids of our rules.
const (
	ExpireID = "latchfs-expire-versions"
	AbortID  = "latchfs-abort-uploads"
)

// Limits of the service.
const (
	MaxDays  = 36500 // a hundred years; more is a mistake
	MaxNewer = 100   // NewerNoncurrentVersions
	maxRules = 1000
)

// Wanted says what our rules are to do. What is nil stays as it is.
type Wanted struct {
	Expire *Expire
	Abort  *int // days after its start that an upload is ended; 0: no such rule
}

// An Expire removes versions so many days after they were replaced or deleted, but for so many of
// the newest of each file. The zero Expire is no such rule.
type Expire struct{ Days, Keep int }

// Rule is the rule for keys that begin with prefix.
func (e Expire) Rule(prefix string) store.LifecycleRule {
	keep := ""
	if e.Keep > 0 {
		keep = fmt.Sprintf("<NewerNoncurrentVersions>%d</NewerNoncurrentVersions>", e.Keep)
	}
	return rule(ExpireID, prefix, fmt.Sprintf("<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"+
		"<NoncurrentVersionExpiration><NoncurrentDays>%d</NoncurrentDays>%s</NoncurrentVersionExpiration>", e.Days, keep))
}

// rule makes one of ours.
func rule(id, prefix, does string) store.LifecycleRule {
	var text strings.Builder
	escape(&text, prefix)
	inner := fmt.Sprintf("<ID>%s</ID><Filter><Prefix>%s</Prefix></Filter><Status>Enabled</Status>%s", id, text.String(), does)
	made, err := store.ParseLifecycle(store.Lifecycle{Rules: []store.LifecycleRule{{XML: inner}}}.Document())
	if err != nil || len(made) != 1 {
		panic(fmt.Sprintf("lifecycle: our own rule %s: %v", inner, err))
	}
	return made[0]
}

// Apply gives the rules with ours as they are wanted.
func (w Wanted) Apply(l store.Lifecycle) store.Lifecycle {
	set := func(id string, r *store.LifecycleRule) {
		i := slices.IndexFunc(l.Rules, func(r store.LifecycleRule) bool { return r.ID == id })
		switch {
		case i >= 0 && r == nil:
			l.Rules = slices.Delete(slices.Clone(l.Rules), i, i+1)
		case i >= 0:
			l.Rules = slices.Clone(l.Rules)
			l.Rules[i] = *r
		case r != nil:
			l.Rules = append(slices.Clip(l.Rules), *r)
		}
	}
	if w.Expire != nil {
		set(ExpireID, when(w.Expire.Days > 0, w.Expire.Rule("")))
	}
	if w.Abort != nil {
		set(AbortID, when(*w.Abort > 0, rule(AbortID, "", fmt.Sprintf("<AbortIncompleteMultipartUpload><DaysAfterInitiation>%d</DaysAfterInitiation></AbortIncompleteMultipartUpload>", *w.Abort))))
	}
	return l
}

func when(ok bool, r store.LifecycleRule) *store.LifecycleRule {
	if !ok {
		return nil
	}
	return &r
}

// Rules is what Set asks of a bucket.
type Rules interface {
	Lifecycle(ctx context.Context) (store.Lifecycle, error)
	SetLifecycle(ctx context.Context, l store.Lifecycle) error
}

// settle is for how long the service may show the old rules after it has taken new ones, and look how
// often it is asked. https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-set-lifecycle-configuration-intro.html
const (
	settle = 30 * time.Second
	look   = time.Second
)

// ErrNothing: the rules are as they are wanted.
var ErrNothing = errors.New("the rules are so already")

// Set sets our rules, if those of the bucket are still the ones that were shown to whoever decided.
// It fails with store.ErrConflict if somebody else has set them meanwhile, before or after us.
func Set(ctx context.Context, b Rules, shown store.Lifecycle, w Wanted) error {
	now, err := b.Lifecycle(ctx)
	if err != nil {
		return err
	}
	if !same(now, shown) {
		return fmt.Errorf("somebody has changed the lifecycle rules meanwhile, and nothing was set: %w", store.ErrConflict)
	}
	wanted := w.Apply(now)
	if same(wanted, now) {
		return ErrNothing
	}
	if len(wanted.Rules) > maxRules {
		return fmt.Errorf("the bucket has %d lifecycle rules, and the service takes no more than %d: remove one", len(now.Rules), maxRules)
	}
	if err := b.SetLifecycle(ctx, wanted); err != nil {
		return err
	}
	for until := time.Now().Add(settle); ; {
		is, err := b.Lifecycle(ctx)
		if err == nil && same(is, wanted) {
			return nil
		}
		if err == nil && !time.Now().Before(until) {
			return fmt.Errorf("the lifecycle rules were set, and are others now: somebody has set them at the same time: %w", store.ErrConflict)
		}
		if err != nil && !time.Now().Before(until) || !wait.For(ctx, look, nil) {
			return fmt.Errorf("the lifecycle rules were set, but what they are now was not seen: %w", errors.Join(err, context.Cause(ctx)))
		}
	}
}

// same tells whether two sets do the same, as far as this program knows rules. Servers give them
// back in words of their own.
func same(a, b store.Lifecycle) bool {
	known := func(l store.Lifecycle) []store.LifecycleRule {
		rules := slices.Clone(l.Rules)
		for i := range rules {
			rules[i].XML = ""
		}
		slices.SortStableFunc(rules, func(a, b store.LifecycleRule) int { return cmp.Compare(a.ID, b.ID) })
		return rules
	}
	return reflect.DeepEqual(known(a), known(b))
}
