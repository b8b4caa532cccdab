package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/latchfs/latchfs/internal/lifecycle"
	"github.com/latchfs/latchfs/store"
)

// checkLifecycle tells what the service removes by itself. Nothing of that is wrong, whoever set the
// rules: but a user should know how far back his history goes.
func checkLifecycle(ctx context.Context, c *store.Client) Line {
	const check = "lifecycle"
	l, err := c.Lifecycle(ctx)
	switch {
	case errors.Is(err, store.ErrNotImplemented):
		return ok(check, "this server has no lifecycle rules: latchfs prune removes old versions, latchfs gc uploads that nobody completed")
	case errors.Is(err, store.ErrAccessDenied):
		return ok(check, "not known: that would need s3:GetLifecycleConfiguration")
	case err != nil:
		return undecided(check, err)
	}
	var removes []string
	for _, r := range l.Rules {
		if r.Status == "Enabled" && (r.NoncurrentDays > 0 || r.ExpireDays > 0 || r.ExpireDate != "") {
			removes = append(removes, fmt.Sprintf("rule %s for %s %s", r.ID, lifecycle.For(r), lifecycle.Does(r)))
		}
	}
	if removes == nil {
		return ok(check, "no rule removes files or old versions: these are kept, and billed, until somebody removes them (latchfs prune, latchfs lifecycle)")
	}
	return ok(check, "%s", strings.Join(removes, "; "))
}
