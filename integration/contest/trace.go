package contest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/latchfs/latchfs/integration/harness"
)

// trace tells how a job's lines were lost: the history of each key with the last line of each version,
// and what the mounts asked for.
func trace(ctx context.Context, c *harness.Client, job Job, seen []harness.Request) (string, error) {
	histories, err := c.Histories(ctx, string(job)+"/")
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for key, history := range histories {
		fmt.Fprintf(&text, "%s\n", key)
		for _, entry := range history {
			last := "deleted"
			if !entry.Deleted {
				content, err := c.Get(ctx, key, entry.ID)
				if err != nil {
					return "", err
				}
				lines := strings.Split(strings.Trim(string(content), "\x00\n"), "\n")
				last = lines[len(lines)-1]
			}
			fmt.Fprintf(&text, "\t%s %s %s\n", entry.ID, entry.ETag, last)
		}
	}
	slices.SortFunc(seen, func(a, b harness.Request) int { return a.At.Compare(b.At) })
	for _, r := range seen {
		if key := r.Key(c.Bucket); strings.HasPrefix(key, string(job)+"/") {
			fmt.Fprintf(&text, "%s +%s %s %s?%s %d %s if-match %s source %s\n", r.At.Format("15:04:05.000"), r.Till.Sub(r.At), r.Method, key, r.Query, r.Status, r.Version,
				r.Header.Get("If-Match"), r.Header.Get("X-Amz-Copy-Source"))
		}
	}
	return text.String(), nil
}
