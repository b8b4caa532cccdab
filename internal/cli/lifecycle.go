package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os/signal"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/lifecycle"
	"github.com/latchfs/latchfs/internal/volume"
	"github.com/latchfs/latchfs/store"
)

// lifecycleOptions is the parsed command line of lifecycle.
type lifecycleOptions struct {
	Source    volume.Source
	Access    volume.Access
	Set       bool
	Wanted    lifecycle.Wanted
	Yes, JSON bool
}

func lifecycleCommand(std Stdio) *cli.Command {
	return &cli.Command{
		Name:      "lifecycle",
		Usage:     "show or set the rules by which the service removes old versions",
		ArgsUsage: "show|set SOURCE",
		Description: "show lists all rules of the bucket. set adds or changes the two of latchfs, known by their ids, and keeps\n" +
			"those of others as they are; a flag that is not given leaves its rule, off removes it. It says what the\n" +
			"service will remove from then on, and asks.\n\n" +
			"A file that is there is never removed, an old version is, labelled or not; what Object Lock retains stays.\n" +
			"The service keeps only the whole set of rules and has no condition for it: who sets them at the same\n" +
			"moment can lose his. set looks before and after it writes, and exits with 4 if it sees that.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "expire-versions", Usage: "remove a version this `AGE` (90d, 12w, 2y) after it was replaced or deleted; off: no such rule"},
			&cli.StringFlag{Name: "keep-versions", Usage: "but for the newest `N` old ones of each file, 1 to 100"},
			&cli.StringFlag{Name: "abort-uploads", Usage: "end an upload in parts this `AGE` (7d) after it began; off: no such rule"},
			&cli.BoolFlag{Name: "yes", Usage: "set without asking", DisableDefaultText: true},
			&cli.BoolFlag{Name: "json", Usage: "one JSON object for each rule: id, status, ours, for, does, expire_versions_days, keep_versions, abort_uploads_days", DisableDefaultText: true},
		}, accessFlags()...),
		Action: func(c *cli.Context) error {
			o, err := parseLifecycle(c)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(c.Context, unix.SIGINT, unix.SIGTERM)
			defer stop()
			return runLifecycle(ctx, o, std)
		},
	}
}

func parseLifecycle(c *cli.Context) (o lifecycleOptions, err error) {
	if err := wantArgs(c, "show|set", "SOURCE"); err != nil {
		return o, err
	}
	if err := refuseEmpty(c); err != nil {
		return o, err
	}
	verb := c.Args().First()
	if o.Set = verb == "set"; !o.Set && verb != "show" {
		return o, usagef("lifecycle %s does not exist: write latchfs lifecycle show SOURCE or latchfs lifecycle set SOURCE", verb)
	}
	if o.Source, err = volume.ParseSource(c.Args().Get(1)); err != nil {
		return o, err
	}
	if o.Source.Prefix != "" {
		return o, usagef("SOURCE %s is a part of a bucket, and the rules are those of all of it: write %s", o.Source, volume.Source{Bucket: o.Source.Bucket})
	}
	if o.Access, err = parseAccess(c, o.Source); err != nil {
		return o, err
	}
	o.Yes, o.JSON = c.Bool("yes"), c.Bool("json")
	given := slices.DeleteFunc([]string{"expire-versions", "keep-versions", "abort-uploads"}, func(f string) bool { return !c.IsSet(f) })
	switch {
	case !o.Set && len(given) > 0:
		return o, usagef("--%s goes with latchfs lifecycle set, not with show", given[0])
	case o.Set && len(given) == 0:
		return o, usagef("nothing is to be set: give --expire-versions AGE, --abort-uploads AGE or both")
	}
	o.Wanted, err = parseRules(c)
	return o, err
}

// parseRules reads what is to be set.
func parseRules(c *cli.Context) (w lifecycle.Wanted, err error) {
	if s := c.String("abort-uploads"); s != "" {
		days, err := parseDays("abort-uploads", s)
		if err != nil {
			return w, err
		}
		w.Abort = &days
	}
	var e lifecycle.Expire
	s := c.String("expire-versions")
	if s != "" {
		if e.Days, err = parseDays("expire-versions", s); err != nil {
			return w, err
		}
		w.Expire = &e
	}
	if s := c.String("keep-versions"); s != "" {
		if e.Days == 0 {
			return w, usagef("--keep-versions says what --expire-versions leaves: give --expire-versions AGE too")
		}
		if e.Keep, err = strconv.Atoi(s); err != nil || e.Keep < 1 || e.Keep > lifecycle.MaxNewer {
			return w, usagef("--keep-versions %s: write a number from 1 to %d", s, lifecycle.MaxNewer)
		}
	}
	return w, nil
}

// parseDays reads an age in whole days, which are all that rules know; 0 is off.
func parseDays(flag, s string) (int, error) {
	if s == "off" {
		return 0, nil
	}
	number, unit := s[:len(s)-1], s[len(s)-1:]
	per := map[string]int{"d": 1, "w": 7, "y": 365}[unit]
	n, err := strconv.Atoi(number)
	switch {
	case per == 0 || err != nil || n < 0 || strings.Trim(number, "0123456789") != "":
		return 0, usagef("--%s %s: rules count whole days: write for example 90d, 12w or 2y, or off", flag, s)
	case n == 0:
		return 0, usagef("--%s %s would be at once: write 1d or more, or off", flag, s)
	case n > lifecycle.MaxDays/per || n > math.MaxInt32:
		return 0, usagef("--%s %s is more than a hundred years: write off", flag, s)
	}
	return n * per, nil
}

func runLifecycle(ctx context.Context, o lifecycleOptions, std Stdio) error {
	v, err := volume.Dial(ctx, volume.Options{Source: o.Source, Access: o.Access, Log: slog.New(slog.DiscardHandler), Existing: true})
	if err != nil {
		return err
	}
	defer v.Close()
	if err := v.Check(ctx); err != nil {
		return err
	}
	shown, err := v.Bucket.Lifecycle(ctx)
	if err != nil {
		return explainLifecycle(v, err)
	}
	if o.Set {
		if err := setLifecycle(ctx, v, shown, o, std); err != nil {
			return err
		}
		if shown, err = v.Bucket.Lifecycle(ctx); err != nil {
			return explainLifecycle(v, err)
		}
	}
	return listRules(std.Out, shown, o.JSON)
}

func setLifecycle(ctx context.Context, v *volume.Volume, shown store.Lifecycle, o lifecycleOptions, std Stdio) error {
	if !o.Yes {
		for _, line := range o.Wanted.Consequences() {
			fmt.Fprintln(std.Err, "latchfs: "+line)
		}
		if err := ask(std, fmt.Sprintf("Set the lifecycle rules of bucket %s?", v.Source.Bucket)); err != nil {
			return fmt.Errorf("the rules stay as they are: %w", err)
		}
	}
	err := lifecycle.Set(ctx, v.Bucket, shown, o.Wanted)
	if errors.Is(err, lifecycle.ErrNothing) {
		fmt.Fprintln(std.Err, "latchfs: the rules were so already")
		return nil
	}
	if err != nil {
		return explainLifecycle(v, err)
	}
	return nil
}

// explainLifecycle says what to do where a server has no rules, and which action is missing.
func explainLifecycle(v *volume.Volume, err error) error {
	switch {
	case errors.Is(err, store.ErrNotImplemented):
		return fmt.Errorf("%s has no lifecycle rules: latchfs prune removes old versions there, and latchfs gc uploads that nobody completed", serverOf(v))
	case errors.Is(err, store.ErrAccessDenied):
		return fmt.Errorf("allow s3:GetLifecycleConfiguration and s3:PutLifecycleConfiguration on arn:aws:s3:::%s: %w", v.Source.Bucket, err)
	}
	return v.Explain(err)
}

func serverOf(v *volume.Volume) string {
	if v.Source.Local != "" {
		return "the server of " + v.Source.String()
	}
	return "the server at " + v.Where()
}

// A lifecycleLine is a line of lifecycle --json; its fields are an interface.
type lifecycleLine struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Ours   bool   `json:"ours"`
	For    string `json:"for"`
	Does   string `json:"does"`
	Expire int    `json:"expire_versions_days,omitempty"`
	Keep   int    `json:"keep_versions,omitempty"`
	Abort  int    `json:"abort_uploads_days,omitempty"`
}

func listRules(w io.Writer, l store.Lifecycle, asJSON bool) error {
	lines, rows := []lifecycleLine{}, [][]string{}
	for _, r := range l.Rules {
		line := lifecycleLine{
			ID: r.ID, Status: strings.ToLower(r.Status), Ours: lifecycle.Ours(r), For: lifecycle.For(r), Does: lifecycle.Does(r),
			Expire: r.NoncurrentDays, Keep: r.KeepNewer, Abort: r.AbortDays,
		}
		lines = append(lines, line)
		rows = append(rows, []string{line.ID, line.Status, line.For, line.Does})
	}
	if asJSON {
		return printJSON(w, lines)
	}
	return printTable(w, []string{"ID", "STATUS", "FOR", "DOES"}, rows)
}
