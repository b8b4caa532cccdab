package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// found is what a look at a key says of a mutation.
type found struct {
	outcome Outcome
	info    Info   // if Landed: the version that it made; zero for a delete
	over    string // if Landed: what is current instead of that version; "" if it is current
	anybody bool   // if Landed: it may have been somebody else, and ours may land yet
	reason  error  // if Changed: matches ErrConflict, for a delete perhaps ErrNotFound
}

// maxHistory bounds the versions that a look asks for the write id: a listing of versions
// has no metadata, so each takes a HEAD.
const maxHistory = 100

// Settle finds what has become of a write with this id and base, whose author cannot tell
// any more. It looks at once: whoever calls it has waited until the write cannot land any
// more. What cannot be looked up for sure, because there are too many newer versions or
// because the bucket does not let us see them, is Changed. So is a write that is in the
// history and of a size that is sent as a multipart upload: perhaps another version was
// current all the time (see upload.confirm); copied, of any size if copies are uploads on this server. It
// fails with ErrUnavailable and with the errors of Head.
func (c *Client) Settle(ctx context.Context, key string, id WriteID, base Base, copied bool) (Settled, error) {
	f, err := c.look(ctx, key, id, base, readPatience, true)
	if err != nil {
		return Settled{}, fmt.Errorf("looking for what became of a write to %q: %w", key, err)
	}
	if f.over != "" && (f.info.Size > PartSize || copied && f.info.Size > 0 && c.Flaws().Has(CopyConditions)) {
		return Settled{Outcome: Changed}, nil
	}
	return Settled{Outcome: f.outcome, Current: f.info}, nil
}

// look finds what has become of a write: in the current version or, with history, in any
// one newer than the base. It goes on until patience or ctx ends.
func (c *Client) look(ctx context.Context, key string, id WriteID, base Base, patience time.Duration, history bool) (found, error) {
	current, err := c.head(ctx, key, "", patience)
	absent := errors.Is(err, ErrNotFound)
	if err != nil && !absent {
		return found{}, err
	}
	if wrote(current.Props.Meta, id) {
		ours, err := c.original(ctx, current, id, base, patience)
		if err != nil {
			return found{}, err
		}
		return found{outcome: Landed, info: ours}, nil
	}
	same := current.Base().Same(base)
	if same && !absent {
		return found{outcome: Unchanged}, nil
	}
	// Where nothing is and nothing was, ours may have come and gone. An object without a
	// version id is the only version.
	if history && (absent || current.VersionID != "") {
		info, err := c.inHistory(ctx, key, id, base, current.VersionID, patience)
		switch {
		case err == nil && info != nil:
			return found{outcome: Landed, info: *info, over: named(current)}, nil
		case err != nil && (hidden(err) || errors.Is(err, errLongHistory)):
			return found{outcome: Changed, reason: fmt.Errorf("%w, or may do so: %v", ErrOverlaid, err)}, nil
		case err != nil:
			return found{}, err
		}
	}
	if same {
		return found{outcome: Unchanged}, nil
	}
	return found{outcome: Changed, reason: ErrConflict}, nil
}

// original gives the version that a write made, if v has its id. Tools keep metadata that they
// do not know, so v may be a copy of it whose content nobody here has seen. What such a copy
// was made of is right below it. Where the history cannot be seen v counts as ours.
func (c *Client) original(ctx context.Context, v Info, id WriteID, base Base, patience time.Duration) (Info, error) {
	for v.Base().Pinned() {
		below, err := c.below(ctx, v.Key, v.VersionID, patience)
		switch {
		case err != nil && hidden(err) || errors.Is(err, ErrNotFound):
			return v, nil
		case err != nil:
			return Info{}, err
		case below.Info.VersionID == "", below.Deleted, !base.Absent() && sameVersionID(below.Info.VersionID, base.VersionID):
			return v, nil
		}
		older, err := c.head(ctx, v.Key, below.Info.VersionID, patience)
		switch {
		case errors.Is(err, ErrNotFound): // removed for good since it was listed
			return v, nil
		case err != nil:
			return Info{}, err
		case !wrote(older.Props.Meta, id):
			return v, nil
		}
		v = older
	}
	return v, nil
}

// hidden tells whether the server will not let us see what we asked for. Without valid credentials
// nobody knows that.
func hidden(err error) bool { return fateOf(err) == Refused && !errors.Is(err, ErrNoCredentials) }

// named names the current version of a key in errors; the zero Info is that of a name without
// an object, which in a history is a delete marker.
func named(current Info) string {
	if current.VersionID == "" {
		return "a delete marker"
	}
	return "version " + current.VersionID
}

// errLongHistory: too many versions are newer than the base.
var errLongHistory = fmt.Errorf("more than %d versions are newer than the one it replaces", maxHistory)

// inHistory finds the version newer than the base that a write made, nil if there is none.
// The version with the id seen is known not to be it.
func (c *Client) inHistory(ctx context.Context, key string, id WriteID, base Base, seen string, patience time.Duration) (*Info, error) {
	newer, err := c.newerThan(ctx, key, base, patience)
	if err != nil {
		return nil, err
	}
	for _, version := range newer {
		if version == seen {
			continue
		}
		info, err := c.head(ctx, key, version, patience)
		switch {
		case errors.Is(err, ErrNotFound): // removed for good since it was listed
		case err != nil:
			return nil, err
		case wrote(info.Props.Meta, id):
			return &info, nil
		}
	}
	return nil, nil
}

// newerThan lists the ids of the versions that are newer than the base, oldest first. If
// nothing was there, no version marks the beginning: then it is the newest maxHistory ones.
func (c *Client) newerThan(ctx context.Context, key string, base Base, patience time.Duration) ([]string, error) {
	var ids []string // newest first
	for v, err := range c.history(ctx, key, patience) {
		if err != nil {
			return nil, err
		}
		if !base.Absent() && sameVersionID(v.Info.VersionID, base.VersionID) || base.Absent() && len(ids) == maxHistory {
			break
		}
		if v.Deleted {
			continue
		}
		if len(ids) == maxHistory {
			return nil, errLongHistory
		}
		ids = append(ids, v.Info.VersionID)
	}
	slices.Reverse(ids)
	return ids, nil
}

// sameVersionID knows that an object without a version id becomes version "null" once
// versioning is switched on.
func sameVersionID(a, b string) bool {
	if a == "" {
		a = nullVersion
	}
	if b == "" {
		b = nullVersion
	}
	return a == b
}
