package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/latchfs/latchfs/internal/wait"
)

// labelTag is the tag that has a version's labels, with spaces between. All are in one tag because
// a version has no more than ten.
const labelTag = "latchfs-labels"

// Limits of the service on tags. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
const (
	maxTags     = 10
	maxTagValue = 256 // characters
)

// MaxLabel is the most characters of a label.
const MaxLabel = 64

// ErrLabel: a version cannot have that label.
var ErrLabel = errors.New("no label for a version")

// ErrNoID: the version was written while the bucket kept no versions, and its id names whatever is
// written so next.
var ErrNoID = fmt.Errorf("%w: the version has no id of its own", ErrRefused)

// CheckLabel fails with ErrLabel unless a tag, a name of a file and a command line can all have the
// label.
func CheckLabel(label string) error {
	for i, r := range label {
		if !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r) && !strings.ContainsRune("-_.+", r)) {
			return fmt.Errorf("%q is %w: it begins with a letter, and has letters, digits, and - _ . +", label, ErrLabel)
		}
	}
	if n := len([]rune(label)); n == 0 || n > MaxLabel {
		return fmt.Errorf("%q is %w: it has 1 to %d characters", label, ErrLabel, MaxLabel)
	}
	return nil
}

// labelsIn gives the labels in tags in the form of x-amz-tagging.
func labelsIn(tags string) []string {
	set, err := url.ParseQuery(tags)
	if err != nil {
		return nil
	}
	return strings.Fields(set.Get(labelTag))
}

// withLabels gives tags with these labels in place of those that are there.
func withLabels(tags string, labels []string) (string, error) {
	var kept []string
	for tag := range strings.SplitSeq(tags, "&") {
		if name, _, _ := strings.Cut(tag, "="); name != labelTag && tag != "" {
			kept = append(kept, tag)
		}
	}
	if len(labels) > 0 {
		value := strings.Join(labels, " ")
		switch {
		case len(kept) >= maxTags:
			return "", fmt.Errorf("the version has %d tags already, and a label takes one: %w", len(kept), ErrLabel)
		case len([]rune(value)) > maxTagValue:
			return "", fmt.Errorf("the labels %s are too long for a tag, which has %d characters: %w", value, maxTagValue, ErrLabel)
		}
		kept = append(kept, labelTag+"="+escape(value))
	}
	return strings.Join(kept, "&"), nil
}

// Labels gives the labels of a version, in the order in which they were set.
func (c *Client) Labels(ctx context.Context, key, version string) ([]string, error) {
	tags, err := read(ctx, c, "Tags", key, readPatience, func(ctx context.Context) (string, error) {
		return c.api.Tags(ctx, key, version)
	})
	return labelsIn(tags), err
}

// Label changes the labels of a version under a permit, and leaves its other tags; no version is
// made. change gets the labels and returns what they shall be. S3 has no condition for tags: what
// another tool sets between the look and the write is lost, and nothing else.
//
// It fails with ErrLabel if they do not fit, with ErrNoID, and
// as RemoveVersion does. An attempt without an answer is waited for until it cannot land any more:
// later it would take back what another one has set since.
func (c *Client) Label(ctx context.Context, p Permit, key, version string, change func(labels []string) []string) error {
	if !(Base{VersionID: version}).Pinned() {
		return fmt.Errorf("label %q: %w", key, ErrNoID)
	}
	a := attempt{op: "SetTags", key: key, permit: p, limit: c.timing.Load().Stall}
	pause := pauses()
	for {
		tags, err := read(ctx, c, "Tags", key, 0, func(ctx context.Context) (string, error) { return c.api.Tags(ctx, key, version) })
		if err != nil {
			return err
		}
		old := labelsIn(tags)
		labels := change(slices.Clone(old))
		if slices.Equal(labels, old) {
			return nil
		}
		wanted, err := withLabels(tags, labels)
		if err != nil {
			return fmt.Errorf("label %q: %w", key, err)
		}
		_, err = try(ctx, c, a, func(ctx context.Context, _ *watch) (struct{}, error) {
			return struct{}{}, c.api.SetTags(ctx, key, version, wanted)
		})
		switch {
		case err == nil:
			return nil
		case fateOf(err) == Unknown:
			if !wait.For(ctx, c.timing.Load().Quiet, nil) {
				return fmt.Errorf("label %q: %w: %w", key, ErrUnknownOutcome, context.Cause(ctx))
			}
		case fateOf(err) == Refused, errors.Is(err, ErrNotPermitted):
			return err
		case !pause.Wait(ctx, nil):
			return unavailable(ctx, err)
		}
	}
}

// A Lock is what Object Lock keeps a version by, as far as these credentials may know it.
type Lock struct {
	Mode  string // GOVERNANCE, COMPLIANCE, or ""
	Until time.Time
	Hold  bool // a legal hold
}

// Keeps tells whether the version is kept at that time.
func (l Lock) Keeps(now time.Time) bool { return l.Hold || l.Mode != "" && l.Until.After(now) }
