package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/internal/review"
	"github.com/latchfs/latchfs/internal/when"
	"github.com/latchfs/latchfs/store"
)

func logCommand(std Stdio) *cli.Command {
	return newFileCommand(std, &cli.Command{
		Name:      "log",
		Usage:     "show the versions of a file: when, how large, who made them, and how",
		ArgsUsage: "PATH",
		Description: "Newest first: version id, time, size in bytes and how that changed, mode, who made it, and what was done:\n" +
			"write, meta (the attributes alone), rename from X, restore of V, delete, or foreign, which is another\n" +
			"tool than latchfs. Who is - where the version does not say, as deletions and other tools do not. Where\n" +
			"there are any: locks, G or C and the date until which governance or compliance keeps the version, and H\n" +
			"for a legal hold; and labels.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "r", Usage: "all files below a directory, also those that were deleted", DisableDefaultText: true},
			&cli.BoolFlag{Name: "p", Usage: "each version's difference to the one before it", DisableDefaultText: true},
			&cli.BoolFlag{Name: "cat", Usage: "each version's content, after a line that says which it is", DisableDefaultText: true},
			&cli.StringFlag{Name: "since", Usage: "only what was done since `TIME`"},
			&cli.BoolFlag{Name: "deleted", Usage: "with -r: the files that are deleted, each with the command that brings it back", DisableDefaultText: true},
			&cli.BoolFlag{Name: "json", Usage: "one JSON object a line: path, version_id, time, size, mode, mtime, host, user, what, from, base, current, retention, legal_hold, label", DisableDefaultText: true},
		},
	}, runLog)
}

func runLog(ctx context.Context, f *fileCommand) error {
	args, err := f.args(1, 1)
	if err != nil {
		return err
	}
	o, err := f.logOptions()
	if err != nil {
		return err
	}
	p, err := f.place(ctx, args[0], "")
	if err != nil {
		return err
	}
	return f.log(ctx, p, o)
}

func (f *fileCommand) log(ctx context.Context, p place, o review.LogOptions) error {
	if p.Rev != "" {
		return usagef("log shows all versions: leave @%s out, or write latchfs cat %s", printable(p.Rev), printable(p.Text))
	}
	if f.Bool("deleted") {
		return p.Explain(f.showDeleted(ctx, p, o))
	}
	keys, err := f.versions(ctx, p)
	if err != nil {
		return p.Explain(err)
	}
	bar := newProgress(f.std, "versions looked at")
	o.Tick = bar.tick
	entries, err := review.Log(ctx, p.Bucket, o, keys...)
	bar.end()
	if err != nil {
		return p.Explain(err)
	}
	out := bufio.NewWriter(f.std.Out)
	switch {
	case f.Bool("json"):
		err = printJSON(out, logLines(p, entries))
	case f.Bool("p"), f.Bool("cat"):
		err = p.Explain(f.showContents(ctx, out, p, entries))
	default:
		header, rows := f.logTable(p, entries)
		err = printTable(out, header, rows)
	}
	return errors.Join(err, out.Flush())
}

func (f *fileCommand) logOptions() (o review.LogOptions, err error) {
	contents := f.Bool("p") || f.Bool("cat")
	switch {
	case f.Bool("p") && f.Bool("cat"):
		return o, usagef("-p does not go with --cat: choose one of them")
	case contents && f.Bool("json"):
		return o, usagef("--json has no contents: leave out -p and --cat")
	case f.Bool("deleted") && !f.Bool("r"):
		return o, usagef("--deleted needs -r and a directory: write latchfs log -r --deleted DIR")
	case f.Bool("deleted") && contents:
		return o, usagef("--deleted has no contents: leave out -p and --cat")
	}
	if s := f.String("since"); s != "" {
		if o.Since, err = when.Parse(s, f.now, time.Local); err != nil {
			return o, usagef("--since: %v", err)
		}
	}
	return o, nil
}

// versions gives the versions of a file or, with -r, of all files below a directory.
func (f *fileCommand) versions(ctx context.Context, p place) (keys [][]history.Version, err error) {
	h := history.New(p.Bucket)
	if f.Bool("r") {
		err = h.Each(ctx, p.DirKey(), func(_ string, versions []history.Version) error {
			keys = append(keys, versions)
			return nil
		})
		if err != nil || len(keys) > 0 || strings.HasSuffix(p.Key, "/") {
			return keys, notEmpty(keys, p, err)
		}
	}
	versions, err := h.Versions(ctx, p.Key)
	if err != nil || len(versions) > 0 {
		return [][]history.Version{versions}, err
	}
	if !f.Bool("r") && wasDir(ctx, h, p) {
		return nil, usagef("%s is a directory: write latchfs log -r %[1]s", printable(p.Text))
	}
	return nil, notEmpty(keys, p, nil)
}

func notEmpty(keys [][]history.Version, p place, err error) error {
	if err == nil && len(keys) == 0 {
		return fmt.Errorf("nothing is, or was, at %s", printable(p.Text))
	}
	return err
}

// wasDir tells whether there is or was anything below the place.
func wasDir(ctx context.Context, h *history.History, p place) bool {
	found := errors.New("found")
	err := h.Each(ctx, p.DirKey(), func(string, []history.Version) error { return found })
	return errors.Is(err, found)
}

// A logLine is a line of log --json; its fields are an interface.
type logLine struct {
	Path      string     `json:"path"`
	VersionID string     `json:"version_id"`
	Time      time.Time  `json:"time"`
	Size      int64      `json:"size"`
	Mode      string     `json:"mode,omitempty"` // st_mode in octal
	Mtime     *time.Time `json:"mtime,omitempty"`
	Host      string     `json:"host,omitempty"`
	User      string     `json:"user,omitempty"`
	What      store.What `json:"what"`
	From      string     `json:"from,omitempty"`
	Base      string     `json:"base,omitempty"` // a version id
	Current   bool       `json:"current"`
	Retention *retention `json:"retention,omitempty"`
	LegalHold bool       `json:"legal_hold,omitempty"`
	Label     []string   `json:"label,omitempty"`
}

// A retention is that of Object Lock, in JSON.
type retention struct {
	Mode  string    `json:"mode"` // GOVERNANCE or COMPLIANCE
	Until time.Time `json:"until"`
}

func logLines(p place, entries []review.Entry) []logLine {
	lines := make([]logLine, 0, len(entries))
	for _, e := range entries {
		l := logLine{
			Path: p.WithKey(e.Info.Key), VersionID: e.Info.VersionID, Time: e.Time.UTC(), Size: e.Info.Size,
			What: e.What, Current: e.Current, LegalHold: e.Info.Lock.Hold, Label: e.Labels,
		}
		if lock := e.Info.Lock; lock.Mode != "" {
			l.Retention = &retention{lock.Mode, lock.Until.UTC()}
		}
		if mode, ok := e.Mode(); ok {
			l.Mode = fmt.Sprintf("%06o", mode)
		}
		if e.Posix.Has&store.HasMtime != 0 {
			mtime := e.Posix.Mtime.UTC()
			l.Mtime = &mtime
		}
		if e.What != store.WhatForeign { // what it has may be copied
			l.Host, l.User, l.From = e.Commit.Host, e.Commit.User, e.Commit.From
			if l.Base = e.Commit.Base; l.Base == "-" {
				l.Base = ""
			}
		}
		lines = append(lines, l)
	}
	return lines
}

// logTable gives the table of log. Columns that would be empty are left out.
func (f *fileCommand) logTable(p place, entries []review.Entry) (header []string, rows [][]string) {
	header = []string{"VERSION", "TIME", "SIZE", "CHANGE", "MODE", "WHO", "WHAT"}
	locks := slices.ContainsFunc(entries, func(e review.Entry) bool { return f.locks(e) != "" })
	labels := slices.ContainsFunc(entries, func(e review.Entry) bool { return len(e.Labels) > 0 })
	for _, c := range []struct {
		name string
		show bool
	}{{"LOCKS", locks}, {"LABEL", labels}, {"PATH", f.Bool("r")}} {
		if c.show {
			header = append(header, c.name)
		}
	}
	for _, e := range entries {
		row := describe(p, e)
		if locks {
			row = append(row, dash(f.locks(e)))
		}
		if labels {
			row = append(row, dash(strings.Join(e.Labels, " ")))
		}
		if f.Bool("r") {
			row = append(row, below(p, e.Info.Key))
		}
		rows = append(rows, row)
	}
	return header, rows
}

// locks says what Object Lock keeps a version by: G or C and the date until which governance or
// compliance do, H for a legal hold.
func (f *fileCommand) locks(e review.Entry) string {
	lock := e.Info.Lock
	var all []string
	if lock.Mode != "" && lock.Until.After(f.now) {
		all = append(all, lock.Mode[:1]+" "+lock.Until.UTC().Format(time.DateOnly))
	}
	if lock.Hold {
		all = append(all, "H")
	}
	return strings.Join(all, " ")
}

// below is the path of a key below the directory that the place is.
func below(p place, key string) string {
	if rel := strings.TrimPrefix(key, p.DirKey()); rel != "" {
		return rel
	}
	return "./"
}

// describe gives the columns of a change.
func describe(p place, e review.Entry) []string {
	size := strconv.FormatInt(e.Info.Size, 10)
	if e.Deleted {
		size = "-"
	}
	mode := "-"
	if m, ok := e.Mode(); ok {
		mode = lsMode(m)
	}
	return []string{versionID(e.Info), utc(e.Time), size, fmt.Sprintf("%+d", e.Change), mode, dash(e.By()), whatOf(p, e)}
}

func whatOf(p place, e review.Entry) string {
	switch from := e.Commit.From; {
	case from == "":
	case e.What == store.WhatRename:
		return "rename from " + strings.TrimPrefix(from, p.Target.Source.Prefix)
	case e.What == store.WhatRestore:
		return "restore of " + from
	}
	return string(e.What)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// versionID is that of a version; S3 has "null" for that of a bucket without versions.
func versionID(i store.Info) string {
	if i.VersionID == "" {
		return "null"
	}
	return i.VersionID
}
