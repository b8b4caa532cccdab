package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/internal/review"
	"github.com/latchfs/latchfs/store"
)

// showContents prints each version's difference to the one before it, or its content.
func (f *fileCommand) showContents(ctx context.Context, out *bufio.Writer, p place, entries []review.Entry) error {
	posix := make(map[string]store.Posix) // by key and version
	for _, e := range entries {
		posix[e.Info.Key+"\x00"+e.Info.VersionID] = e.Posix
	}
	side := func(v *history.Version) *review.Side {
		if v == nil {
			return &review.Side{}
		}
		return sideOf(p, *v, posix[v.Info.Key+"\x00"+v.Info.VersionID])
	}
	failed := false
	var last *review.Side // the older side of the comparison before, whose bytes are here
	for i, e := range entries {
		if i > 0 {
			fmt.Fprintln(out)
		}
		line := slices.DeleteFunc(append(append(describe(p, e), f.locks(e)), e.Labels...), func(s string) bool { return s == "" })
		if f.Bool("r") {
			line = append(line, below(p, e.Info.Key))
		}
		for i := range line {
			line[i] = printable(line[i])
		}
		fmt.Fprintln(out, "version", strings.Join(line, " "))
		var err error
		if f.Bool("cat") {
			err = catVersion(ctx, out, p, e)
		} else {
			newer, older := side(&e.Version), side(e.Before)
			if last != nil && last.Info.Key == newer.Info.Key && last.Info.VersionID == newer.Info.VersionID {
				newer = last
			}
			var text string
			text, err = review.Unified(ctx, older, newer)
			out.WriteString(text) // an error comes again from Flush
			last = older
		}
		switch {
		case errors.Is(err, store.ErrArchived): // the others can be shown
			failed = true
			fmt.Fprintf(f.std.Err, "latchfs: version %s: %s\n", versionID(e.Info), oneLine(err))
		case err != nil:
			return err
		}
	}
	if failed {
		return &reportedError{ExitFailed}
	}
	return nil
}

// sideOf is a version as one side of a comparison.
func sideOf(p place, v history.Version, posix store.Posix) *review.Side {
	if v.Deleted {
		return &review.Side{}
	}
	name := strings.TrimPrefix(v.Info.Key, p.Target.Source.Prefix)
	return &review.Side{Name: printable(name), Stamp: utc(v.Time) + " " + printable(versionID(v.Info)), Objects: p.Bucket, Info: v.Info, Posix: posix}
}

// catVersion prints the content of a version, and ends its last line if the file does not.
func catVersion(ctx context.Context, out *bufio.Writer, p place, e review.Entry) error {
	if e.Deleted {
		return nil
	}
	w := &lastByte{w: out, last: '\n'}
	if err := review.Copy(ctx, w, p.Bucket, e.Info); err != nil {
		return err
	}
	if w.last != '\n' {
		return out.WriteByte('\n')
	}
	return nil
}

// A lastByte knows the last byte that was written to it.
type lastByte struct {
	w    io.Writer
	last byte
}

// Write implements io.Writer.
func (l *lastByte) Write(b []byte) (int, error) {
	if len(b) > 0 {
		l.last = b[len(b)-1]
	}
	return l.w.Write(b)
}
