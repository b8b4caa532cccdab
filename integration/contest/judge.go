package contest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/latchfs/latchfs/integration/harness"
)

// A Result is what a job came to.
type Result struct {
	Job     Job
	Foreign int            // lines that the foreign writer was told are there
	Host    int            // rounds that the programs on the mounts were told are done
	Errors  map[string]int // rounds that failed, by error number
	Lost    []string       // acknowledged lines that are nowhere
	Blind   []string       // changes by a mount of what their author had not seen
}

func (r Result) String() string {
	s := fmt.Sprintf("%s: %d foreign lines, %d rounds on the mounts, %d lines lost, %d blind changes", r.Job, r.Foreign, r.Host, len(r.Lost), len(r.Blind))
	if len(r.Errors) > 0 {
		s += fmt.Sprintf(", errors %v", r.Errors)
	}
	return s
}

// lost gives those of the lines that are in none of the job's objects.
func lost(ctx context.Context, c *harness.Client, job Job, lines []string) ([]string, error) {
	keys, err := c.Keys(ctx, string(job)+"/")
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, key := range keys {
		content, err := c.Get(ctx, key, "")
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", key, err)
		}
		content, _, _ = bytes.Cut(content, []byte{0})
		for line := range strings.Lines(string(content)) {
			there[line] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return there[l] }), nil
}

// blind gives those of the requests of the mounts that came to lie on another version than the one
// that their condition names.
func blind(ctx context.Context, c *harness.Client, job Job, seen []harness.Request) ([]string, error) {
	histories, err := c.Histories(ctx, string(job)+"/")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, r := range seen {
		key := r.Key(c.Bucket)
		history := histories[key]
		i := slices.IndexFunc(history, func(e harness.Entry) bool { return e.ID == r.Version })
		if i < 0 {
			continue // of another job, or taken back
		}
		before := ""
		if i > 0 {
			before = strings.Trim(history[i-1].ETag, `"`)
		}
		if named := strings.Trim(r.Header.Get("If-Match"), `"`); named != before {
			found = append(found, fmt.Sprintf("%s %s names %q and lies on %q", r.Method, key, named, before))
		}
	}
	return found, nil
}

// changes tells whether a request has made a version or a delete marker.
func changes(r harness.Request) bool {
	q, _ := url.ParseQuery(r.Query)
	if r.Status/100 != 2 || r.Version == "" {
		return false
	}
	switch r.Method {
	case http.MethodPut:
		return !q.Has("partNumber")
	case http.MethodPost:
		return q.Has("uploadId")
	case http.MethodDelete:
		return !q.Has("versionId") && !q.Has("uploadId")
	}
	return false
}
