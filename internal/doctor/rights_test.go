package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/latchfs/latchfs/internal/iam"
	"github.com/latchfs/latchfs/store"
)

// A request that may need several rights names the one that is missing only where that is proved.
func TestTrials(t *testing.T) {
	busy := fmt.Errorf("slow: %w", store.ErrUnavailable)
	refused := fmt.Errorf("%w: no", store.ErrAccessDenied)
	answer := func(action string, err error, also ...string) trial {
		return trial{action, also, func(context.Context) error { return err }}
	}
	for name, c := range map[string]struct {
		trials []trial
		want   string // of a, b and c: granted, missing, unknown, or - for not tried
	}{
		"all granted":           {[]trial{answer("a", nil), answer("b", nil, "a")}, "granted granted -"},
		"success proves itself": {[]trial{answer("a", refused), answer("b", nil, "a")}, "missing granted -"},
		"one alone":             {[]trial{answer("a", refused)}, "missing - -"},
		"others granted":        {[]trial{answer("b", refused, "a", "c"), answer("a", nil), answer("c", nil)}, "granted missing granted"},
		"explained":             {[]trial{answer("b", refused, "a"), answer("a", refused)}, "missing unknown -"},
		"not proved":            {[]trial{answer("a", refused, "b"), answer("c", nil)}, "unknown - granted"},
		"a chain":               {[]trial{answer("c", refused, "b"), answer("b", nil, "a"), answer("a", nil)}, "granted granted missing"},
		"unclear":               {[]trial{answer("a", busy), answer("b", refused, "a")}, "unknown unknown -"},
	} {
		found := try(t.Context(), c.trials)
		var got []string
		for _, action := range []string{"a", "b", "c"} {
			is, tried := found[action]
			switch {
			case !tried:
				got = append(got, "-")
			case is.granted:
				got = append(got, "granted")
			case is.missing != nil:
				got = append(got, "missing")
			default:
				got = append(got, "unknown")
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
}

// What is missing is a failure where every mount needs it, and the answer's own words about KMS keys
// are handed on.
func TestRightLines(t *testing.T) {
	n := iam.Names{Bucket: "b"}
	refused := fmt.Errorf("%w: no", store.ErrAccessDenied)
	kms := fmt.Errorf("%w: not authorized to perform: kms:Decrypt on k", store.ErrAccessDenied)
	essential := iam.Action{Name: "s3:GetObject", On: iam.Objects, For: iam.Mount, To: "read files"}
	partly := iam.Action{Name: "s3:GetObjectTagging", On: iam.Objects, For: iam.Write, Only: "for objects that have tags", To: "keep their tags"}
	care := iam.Action{Name: "s3:DeleteObjectVersion", On: iam.Objects, For: iam.Care, To: "remove what a probe wrote"}
	for _, c := range []struct {
		right  right
		action iam.Action
		status Status
		says   string
	}{
		{right{granted: true}, essential, OK, "s3:GetObject"},
		{right{missing: refused}, essential, Fail, "missing on arn:aws:s3:::b/*; it is needed to read files (every mount); allow s3:GetObject on arn:aws:s3:::b/*"},
		{right{missing: refused}, partly, Warn, "to keep their tags, for objects that have tags (every mount that is not read-only)"},
		{right{missing: refused}, care, Warn, "(doctor)"},
		{right{missing: kms}, essential, Fail, "perform: kms:Decrypt on k"},
		{right{unknown: refused}, essential, Warn, "run doctor again"},
		{right{unknown: store.ErrNotImplemented}, essential, Warn, "does not implement"},
		{right{unknown: store.ErrUnavailable}, essential, Fail, "not known"},
	} {
		l := c.right.line("permission", c.action, n)
		wants(t, l, "permission", c.status, c.says)
		if l.Action != c.action.Name {
			t.Errorf("it is about %s", l.Action)
		}
	}
}

// Every action that is tried is one of the table, also where nothing else knows of it.
func TestTrialsAreOfTheTable(t *testing.T) {
	table := map[string]bool{}
	for _, a := range iam.Actions() {
		table[a.Name] = true
	}
	trials := append(bucketTrials(nil, thing{}), tableTrials(nil)...)
	for _, tr := range trials {
		for _, name := range append([]string{tr.action}, tr.also...) {
			if !table[name] {
				t.Errorf("%s is tried, and not in the table", name)
			}
		}
	}
	if !errors.Is(store.ErrNotImplemented, store.ErrRefused) {
		t.Error("what a server does not implement is no refusal")
	}
}

// The longest name of an action leaves the columns as they are.
func TestColumns(t *testing.T) {
	want := strings.Index(Header(), "FOUND")
	for _, a := range iam.On(iam.Bucket, iam.Objects, iam.LockBucket, iam.LockObjects, iam.LockTable) {
		if l := (Line{Action: a.Name, Status: OK, Found: "granted"}).String(); strings.Index(l, "granted") != want {
			t.Errorf("%q: what was found is not in column %d", l, want)
		}
	}
}
