package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/latchfs/latchfs/internal/iam"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

// A trial is a harmless request that shows whether an action is granted.
type trial struct {
	action string
	// also are actions for lack of which a server may refuse the request as well.
	also []string
	send func(ctx context.Context) error
}

// rights is what trials showed of each action, by its name.
type rights map[string]right

type right struct {
	granted bool
	missing error // the refusal that shows it
	// unknown is why nothing was shown, if anything was tried.
	unknown error
}

// denied tells whether an answer refuses a right.
func denied(err error) bool {
	return errors.Is(err, store.ErrAccessDenied) || errors.Is(err, lockmgr.ErrAccessDenied)
}

// try makes all trials. Where a request that may need several rights is refused, the one is missing
// that is left when all others are granted.
func try(ctx context.Context, trials []trial) rights {
	found := rights{}
	refused := map[int]error{}
	for i, t := range trials {
		err := t.send(ctx)
		switch {
		case err == nil:
			found[t.action] = right{granted: true}
		case denied(err):
			refused[i] = err
		default:
			found.doubt(t.action, err)
		}
	}
	for again := true; again; {
		again = false
		for i, err := range refused {
			left, explained := found.candidates(trials[i])
			if !explained && len(left) == 1 {
				found[left[0]] = right{missing: err}
				again = true
			}
		}
	}
	for i, err := range refused {
		if left, explained := found.candidates(trials[i]); !explained {
			err = fmt.Errorf("one of %s is missing: %w", strings.Join(left, ", "), err)
		}
		found.doubt(trials[i].action, err)
	}
	return found
}

// candidates gives those of a trial's actions that are not granted; explained tells whether one is
// known to be missing.
func (r rights) candidates(t trial) (left []string, explained bool) {
	for _, name := range append([]string{t.action}, t.also...) {
		explained = explained || r[name].missing != nil
		if !r[name].granted {
			left = append(left, name)
		}
	}
	return left, explained
}

// doubt notes why it is not known whether an action is granted.
func (r rights) doubt(action string, err error) {
	if now := r[action]; !now.granted && now.missing == nil {
		r[action] = right{unknown: err}
	}
}

// lines gives a line for each of the actions that were tried.
func (r rights) lines(check string, actions []iam.Action, n iam.Names) (lines []Line) {
	for _, a := range actions {
		if is, tried := r[a.Name]; tried {
			lines = append(lines, is.line(check, a, n))
		}
	}
	return lines
}

func (r right) line(check string, a iam.Action, n iam.Names) Line {
	on := a.On.ARN(n)
	l := Line{Check: check, Action: a.Name, Status: OK, Found: "granted on " + on}
	what := "to " + a.To
	if a.Only != "" {
		what += ", " + a.Only
	}
	switch {
	case r.missing != nil:
		l.Found = "missing on " + on + "; it is needed " + what + " (" + users(a.For) + ")"
		l.Status, l.Advice = Warn, "allow "+a.Name+" on "+on
		if a.Essential() {
			l.Status = Fail
		}
		if kms := oneLine(r.missing); strings.Contains(kms, "kms:") {
			l.Advice = "allow what the answer names on the bucket's KMS key: " + kms
		}
	case errors.Is(r.unknown, store.ErrNotImplemented):
		l.Status, l.Found, l.Advice = Warn, "not known: the server does not implement what needs it "+what, "nothing can be done about it here"
	case denied(r.unknown):
		l.Status, l.Found, l.Advice = Warn, "not known: what would show it is refused ("+oneLine(r.unknown)+")", "allow the actions that are missing, then run doctor again"
	case r.unknown != nil:
		l = undecided(check, r.unknown)
		l.Action = a.Name
	}
	return l
}

// users names those who need an action.
func users(u iam.Use) string {
	var who []string
	for _, is := range []struct {
		use  iam.Use
		name string
	}{{iam.Read, "every mount"}, {iam.Write, "every mount that is not read-only"}, {iam.Init, "init"}, {iam.Care, "doctor"}, {iam.History, "label, prune, undelete and lifecycle"}} {
		if u.Has(is.use) && !(is.use == iam.Write && u.Has(iam.Read)) {
			who = append(who, is.name)
		}
	}
	return strings.Join(who, ", ")
}
