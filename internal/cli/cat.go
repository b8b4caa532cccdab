package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/internal/review"
	"github.com/latchfs/latchfs/store"
)

func catCommand(std Stdio) *cli.Command {
	return newFileCommand(std, &cli.Command{
		Name:        "cat",
		Usage:       "print the content of a version",
		ArgsUsage:   "PATH[@REV]",
		Description: "Without @REV it is the current version. Archived versions (Glacier) have to be restored first.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "version-id", Usage: "`REV` that is meant, also where the file's name has an @ in it"},
		},
	}, runCat)
}

func runCat(ctx context.Context, f *fileCommand) error {
	args, err := f.args(1, 1)
	if err != nil {
		return err
	}
	p, err := f.place(ctx, args[0], f.String("version-id"))
	if err != nil {
		return err
	}
	return f.cat(ctx, p)
}

func (f *fileCommand) cat(ctx context.Context, p place) error {
	v, err := f.version(ctx, p)
	if err != nil {
		return p.Explain(err)
	}
	if v.Deleted {
		return deletedError(p, v)
	}
	return p.Explain(review.Copy(ctx, f.std.Out, p.Bucket, v.Info))
}

// version finds the version that the place names; without REV it is the current one.
func (f *fileCommand) version(ctx context.Context, p place) (v history.Version, err error) {
	h := history.New(p.Bucket)
	if p.DirKey() == p.Key {
		return v, directoryError(p)
	}
	rev := p.Rev
	if rev == "" {
		i, err := p.Bucket.Head(ctx, p.Key, "")
		if !errors.Is(err, store.ErrNotFound) {
			return history.Version{Info: i, Time: i.LastModified}, err
		}
		rev = "~0" // it may be deleted
	}
	v, err = h.Resolve(ctx, p.Key, rev, f.revs(p))
	if errors.Is(err, history.ErrNoVersion) && wasDir(ctx, h, p) {
		if all, lerr := h.Versions(ctx, p.Key); lerr == nil && len(all) == 0 {
			return v, directoryError(p)
		}
	}
	return v, err
}

func directoryError(p place) error {
	return usagef("%s is a directory: name a file in it, or see latchfs log -r and latchfs diff -r", printable(p.Text))
}

// deletedError says that a version is a deletion, and how to name what was before it.
func deletedError(p place, v history.Version) error {
	return fmt.Errorf("%s was deleted at %s: name an older version, as latchfs log shows them, or the content before that with %s",
		printable(p.Text), utc(v.Time), printable(p.WithKey(p.Key)+"@~1"))
}
