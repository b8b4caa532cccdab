package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

const theirs = `<ID>latchfs-expire-versions-of-mine</ID><Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter><Status>Disabled</Status><Unknown x="1">y</Unknown>`

// bucket has a rule of somebody else.
func bucket(t *testing.T) (*store.Client, *faultstore.Store) {
	t.Helper()
	f := faultstore.New(memstore.New(memstore.Options{Versioned: true}))
	c := store.New(f, store.Options{})
	if err := c.SetLifecycle(t.Context(), store.Lifecycle{MinimumSize: "varies_by_storage_class", Rules: []store.LifecycleRule{{XML: theirs}}}); err != nil {
		t.Fatal(err)
	}
	return c, f
}

func rules(t *testing.T, c *store.Client) store.Lifecycle {
	t.Helper()
	l, err := c.Lifecycle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// show gives ids and what our rules do.
func show(l store.Lifecycle) (lines []string) {
	for _, r := range l.Rules {
		line := r.ID
		if Ours(r) {
			line += ": " + For(r) + ": " + Does(r)
		}
		lines = append(lines, line)
	}
	return lines
}

// Each wanted state is reached from each other, and the rule of somebody else stays to the byte.
func TestSet(t *testing.T) {
	expire := func(days, keep int) Wanted { return Wanted{Expire: &Expire{days, keep}} }
	abort := func(days int) Wanted { return Wanted{Abort: &days} }
	const expires = ExpireID + ": everything: removes versions 90d after they were replaced; removes delete markers with nothing below them"
	c, _ := bucket(t)
	for _, step := range []struct {
		wanted Wanted
		err    error
		ours   []string
	}{
		{expire(0, 0), ErrNothing, nil},
		{expire(90, 0), nil, []string{expires}},
		{expire(90, 0), ErrNothing, []string{expires}},
		{abort(7), nil, []string{expires, AbortID + ": everything: ends uploads 7d after they began"}},
		{expire(1, 100), nil, []string{strings.ReplaceAll(strings.ReplaceAll(expires, "90d", "1d"), "replaced;", "replaced but for the newest 100;"), AbortID + ": everything: ends uploads 7d after they began"}},
		{expire(0, 0), nil, []string{AbortID + ": everything: ends uploads 7d after they began"}},
		{abort(0), nil, nil},
	} {
		before := rules(t, c)
		if err := Set(t.Context(), c, before, step.wanted); !errors.Is(err, step.err) {
			t.Fatalf("%+v: %v", step.wanted, err)
		}
		now := rules(t, c)
		if got, want := show(now), append([]string{"latchfs-expire-versions-of-mine"}, step.ours...); !slices.Equal(got, want) {
			t.Errorf("rules %q, want %q", got, want)
		}
		if now.Rules[0].XML != theirs || now.MinimumSize != "varies_by_storage_class" {
			t.Errorf("the rule of somebody else is %s", now.Rules[0].XML)
		}
	}
}

// What somebody sets between the look of whoever decides and our write is not replaced; what he sets
// at the same time is told.
func TestSetBesideOthers(t *testing.T) {
	days := 7
	synctest.Test(t, func(t *testing.T) {
		c, _ := bucket(t)
		shown := rules(t, c)
		if err := c.SetLifecycle(t.Context(), store.Lifecycle{Rules: append(shown.Rules, Expire{5, 0}.Rule("x"))}); err != nil {
			t.Fatal(err)
		}
		if err := Set(t.Context(), c, shown, Wanted{Abort: &days}); !errors.Is(err, store.ErrConflict) || len(rules(t, c).Rules) != 2 {
			t.Errorf("%v, %q", err, show(rules(t, c)))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c, f := bucket(t)
		shown := rules(t, c)
		other := store.New(f, store.Options{})
		over := overwritten{c, func() { _ = other.SetLifecycle(context.Background(), shown) }}
		if err := Set(t.Context(), over, shown, Wanted{Abort: &days}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("overwritten: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) { // the service shows the old rules for a while
		c, _ := bucket(t)
		late := &stale{Client: c, old: rules(t, c), n: 5}
		if err := Set(t.Context(), late, late.old, Wanted{Abort: &days}); err != nil || len(rules(t, c).Rules) != 2 {
			t.Errorf("late: %v", err)
		}
	})
}

// overwritten is a bucket whose rules somebody sets right after us.
type overwritten struct {
	*store.Client
	then func()
}

func (o overwritten) SetLifecycle(ctx context.Context, l store.Lifecycle) error {
	defer o.then()
	return o.Client.SetLifecycle(ctx, l)
}

// stale shows the old rules n times.
type stale struct {
	*store.Client
	old store.Lifecycle
	n   int
}

func (s *stale) Lifecycle(ctx context.Context) (store.Lifecycle, error) {
	if s.n--; s.n > 0 {
		return s.old, nil
	}
	return s.Client.Lifecycle(ctx)
}

// Rules of others are told in words, and what is not known is called so.
func TestWords(t *testing.T) {
	for document, want := range map[string]string{
		`<Filter></Filter><Other/>`:                                  "everything: something that latchfs does not know",
		`<Prefix>a/</Prefix><Expiration><Days>3</Days></Expiration>`: "a/*: deletes files 3d after they were written",
		`<Filter><And><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter>` +
			`<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition><Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>`: "a*, tag k=v, larger than 5 bytes: deletes files on 2030-01-01T00:00:00Z; moves files to GLACIER after 1d",
		`<Filter><ObjectSizeLessThan>9</ObjectSizeLessThan></Filter><NoncurrentVersionTransition><NoncurrentDays>4</NoncurrentDays><StorageClass>X</StorageClass></NoncurrentVersionTransition>`: "smaller than 9 bytes: moves versions to X 4d after they were replaced",
	} {
		parsed, err := store.ParseLifecycle(store.Lifecycle{Rules: []store.LifecycleRule{{XML: document}}}.Document())
		if err != nil {
			t.Fatal(err)
		}
		if got := For(parsed[0]) + ": " + Does(parsed[0]); got != want {
			t.Errorf("%s\nis %q\nwant %q", document, got, want)
		}
	}
	if r := (Expire{3, 2}).Rule("a<b&/"); r.For() != "a<b&/" || r.NoncurrentDays != 3 || r.KeepNewer != 2 || !r.ExpireMarkers {
		t.Errorf("%+v", r)
	}
}
