package doctor

import (
	"context"
	"fmt"

	"github.com/latchfs/latchfs/store"
)

// checkKeys looks at every key below the prefix once: what a mount does not show, or not as
// other tools do. The checks share the listing and its failure.
func checkKeys(ctx context.Context, c *store.Client, prefix, versions string) []Line {
	s := scan{root: prefix, view: versions}
	err := eachKey(ctx, c, prefix, s.see)
	lines := []Line{
		s.line("unnameable-keys", s.unnameable, "no path can name, so that a mount neither shows nor touches them",
			"rename them with another tool if they are to be seen"),
		s.line("markers-with-bytes", s.filled, "are directories for a mount, yet hold bytes that it does not show; rmdir answers ENOTEMPTY",
			"move the bytes to another key with another tool"),
		s.line("file-and-directory", s.both, "are objects beside keys below their own name: a mount shows the object with ~file at its end",
			"rename one of the two"),
		s.line("versions-names", s.versions, fmt.Sprintf("lie at or below the name %s, which a mount shows its own directory by", versions),
			"mount with another --versions-dir if they are to be seen, or rename them with another tool"),
	}
	for i, l := range lines {
		switch {
		case err != nil:
			lines[i] = undecided(l.Check, err)
		case s.disordered && l.Check == "file-and-directory":
			lines[i] = Line{Check: l.Check, Status: Warn, Found: fmt.Sprintf("not known of %d keys: the server does not list them in order of their bytes", s.keys),
				Advice: "tell the maker of the server"}
		}
	}
	return lines
}

func (s *scan) line(check string, f finding, are, advice string) Line {
	if f.count == 0 {
		return ok(check, "none of %d keys", s.keys)
	}
	return Line{Check: check, Status: Warn, Found: fmt.Sprintf("%d of %d keys %s", f.count, s.keys, are), Advice: advice, Count: f.count, Keys: f.first}
}

// eachKey lists all keys below a prefix, a page at a time.
func eachKey(ctx context.Context, c *store.Client, prefix string, see func(key string, size int64)) error {
	for o := (store.ListOptions{Prefix: prefix}); ; {
		page, err := c.List(ctx, o)
		if err != nil {
			return err
		}
		for _, i := range page.Objects {
			see(i.Key, i.Size)
		}
		if page.Next == "" {
			return nil
		}
		o.Token = page.Next
	}
}
