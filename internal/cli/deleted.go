package cli

import (
	"bufio"
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/internal/review"
	"github.com/latchfs/latchfs/internal/shell"
	"github.com/latchfs/latchfs/store"
)

// A deletedLine is a line of log -r --deleted --json; its fields are an interface.
type deletedLine struct {
	Path      string     `json:"path"`
	VersionID string     `json:"version_id"` // of the last content
	Time      time.Time  `json:"time"`       // of the deletion
	Size      int64      `json:"size"`
	What      store.What `json:"what"`
	Command   string     `json:"command"`
}

// showDeleted lists the files below a directory that were deleted, each with the command that brings it
// back: what was in deleted directories, too, and the markers of these. What has no content left is no
// file any more.
func (f *fileCommand) showDeleted(ctx context.Context, p place, o review.LogOptions) error {
	var lines []deletedLine
	err := history.New(p.Bucket).Each(ctx, p.DirKey(), func(key string, versions []history.Version) error {
		last := versions[len(versions)-1]
		content := lastContent(versions)
		if !last.Deleted || content == nil || last.Time.Before(o.Since) {
			return nil
		}
		lines = append(lines, deletedLine{
			Path: p.WithKey(key), VersionID: content.Info.VersionID, Time: last.Time.UTC(), Size: content.Info.Size,
			What: store.WhatDelete, Command: p.command("undelete", key),
		})
		return nil
	})
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f.std.Out)
	if f.Bool("json") {
		err = printJSON(out, lines)
	} else {
		var rows [][]string
		for _, l := range lines {
			rows = append(rows, []string{utc(l.Time), strconv.FormatInt(l.Size, 10), l.Command})
		}
		err = printTable(out, []string{"DELETED", "SIZE", "TO BRING IT BACK"}, rows)
	}
	return errors.Join(err, out.Flush())
}

// lastContent is the newest version that is no deletion; nil if there is none.
func lastContent(versions []history.Version) *history.Version {
	for i := len(versions) - 1; i >= 0; i-- {
		if !versions[i].Deleted {
			return &versions[i]
		}
	}
	return nil
}

// command is a command of latchfs on another key of the place, as its user would write it.
func (p place) command(name, key string) string {
	words := []string{"latchfs", name}
	if p.Mountpoint == "" {
		words = append(words, p.Access.Flags()...)
	}
	line := ""
	for _, w := range append(words, p.WithKey(key)) {
		line += " " + shell.Visible(w)
	}
	return line[1:]
}
