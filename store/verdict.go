package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// maxVerdicts is how many verdicts bucket.json has, of some 8 servers.
	maxVerdicts = 16
	// verdictRounds is how often a verdict is written again because somebody else wrote.
	verdictRounds = 10
)

// A Verdict is what probes found of a server, on a bucket for files or on that of its lock table, as bucket.json
// keeps it.
type Verdict struct {
	// Endpoint is the name by which the server was reached, Server its Server header. A verdict
	// is about no other.
	Endpoint, Server string
	// LockTable names the lock table, by its random id too, of whose bucket this is; "" in a verdict about the
	// bucket for files. One that was made anew, or elsewhere, is another.
	LockTable string
	Date      time.Time // of the probe, in whole seconds
	// Flaws were seen of the bucket, and of those only by racers Races. Whether there are those in Unknown
	// the rights of whoever probed did not show.
	Flaws, Races, Unknown Flaws
	// Kept: what a probe writes stays, because Object Lock keeps it.
	Kept bool
}

// verdictJSON is a verdict in bucket.json.
type verdictJSON struct {
	Endpoint  string    `json:"endpoint"`
	Server    string    `json:"server"`
	LockTable string    `json:"lock_table,omitempty"`
	Date      time.Time `json:"date"`
	Flaws     []string  `json:"flaws,omitempty"`
	Races     []string  `json:"races,omitempty"`
	Unknown   []string  `json:"unknown,omitempty"`
	Kept      bool      `json:"kept,omitempty"`
}

// MarshalJSON names the flaws.
func (v Verdict) MarshalJSON() ([]byte, error) {
	return json.Marshal(verdictJSON{Endpoint: v.Endpoint, Server: v.Server, LockTable: v.LockTable, Date: v.Date.UTC().Truncate(time.Second),
		Flaws: v.Flaws.Names(), Races: v.Races.Names(), Unknown: v.Unknown.Names(), Kept: v.Kept})
}

// UnmarshalJSON fails for a flaw that this version does not know.
func (v *Verdict) UnmarshalJSON(text []byte) error {
	var j verdictJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*v = Verdict{Endpoint: j.Endpoint, Server: j.Server, LockTable: j.LockTable, Date: j.Date, Kept: j.Kept}
	for _, f := range []struct {
		names []string
		to    *Flaws
	}{{j.Flaws, &v.Flaws}, {j.Races, &v.Races}, {j.Unknown, &v.Unknown}} {
		var err error
		if *f.to, err = ParseFlaws(f.names); err != nil {
			return err
		}
	}
	return nil
}

// Same tells whether both say the same of the same server, whenever.
func (v Verdict) Same(o Verdict) bool {
	v.Date, o.Date = time.Time{}, time.Time{}
	return v == o
}

// verdicts is the list in bucket.json, the newest first. What a later version has put there is
// kept as it is.
type verdicts struct {
	list  []json.RawMessage
	other json.RawMessage // what stands there, if it is no list
}

func (l verdicts) absent() bool { return l.list == nil && l.other == nil }

// MarshalJSON writes what UnmarshalJSON has read.
func (l verdicts) MarshalJSON() ([]byte, error) {
	if l.list == nil {
		return l.other, nil
	}
	return json.Marshal(l.list)
}

// UnmarshalJSON never fails: a verdict that cannot be read is one that is not there.
func (l *verdicts) UnmarshalJSON(text []byte) error {
	*l = verdicts{}
	if err := json.Unmarshal(text, &l.list); err != nil || l.list == nil {
		*l = verdicts{other: slices.Clone(text)}
	}
	return nil
}

// Verdict gives what is known of the server that says this name at that endpoint: of the bucket for files, or of that of a
// lock table.
func (b BucketConfig) Verdict(endpoint, server, lockTable string) (Verdict, bool) {
	for _, text := range b.servers.list {
		var v Verdict
		if json.Unmarshal(text, &v) == nil && v.Endpoint == endpoint && v.Server == server && v.LockTable == lockTable {
			return v, true
		}
	}
	return Verdict{}, false
}

// Late is the longest Flaws.Late of all verdicts: a mount that has died may have reached the server by
// another name than whoever asks. A verdict that this version cannot read may say the worst.
func (b BucketConfig) Late() (late time.Duration) {
	for _, text := range b.servers.list {
		var v Verdict
		if json.Unmarshal(text, &v) != nil {
			v.Flaws = CompleteConditions
		}
		late = max(late, v.Flaws.Late())
	}
	return late
}

// add puts a verdict in the place of the one about the same endpoint and the same kind of bucket, before all
// others.
func (b *BucketConfig) add(v Verdict) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	list := []json.RawMessage{text}
	for _, text := range b.servers.list {
		var old verdictJSON
		if json.Unmarshal(text, &old) == nil && old.Endpoint == v.Endpoint && (old.LockTable == "") == (v.LockTable == "") {
			continue
		}
		if len(list) < maxVerdicts {
			list = append(list, text)
		}
	}
	b.servers = verdicts{list: list}
	return nil
}

// KeepVerdicts writes verdicts into bucket.json, the first one foremost, whatever else somebody writes there at the same
// time. It fails as ReadBucketConfig and WriteBucketConfig do.
func (c *Client) KeepVerdicts(ctx context.Context, all ...Verdict) (err error) {
	for range verdictRounds {
		b, base, err := c.ReadBucketConfig(ctx)
		if err != nil {
			return err
		}
		for _, v := range slices.Backward(all) {
			if err := b.add(v); err != nil {
				return err
			}
		}
		if err = c.WriteBucketConfig(ctx, b, base); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("writing %s: others write it all the time: %w", BucketConfigKey, ErrUnavailable)
}
