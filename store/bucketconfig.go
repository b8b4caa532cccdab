package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"
)

const (
	// BucketConfigKey is the key of the object that binds a bucket to its one lock table.
	BucketConfigKey = ".latchfs/bucket.json"
	// BucketFormat is the newest format of that object that this version knows.
	BucketFormat = 1
	// maxBucketConfig bounds the bytes of it that are read.
	maxBucketConfig = 1 << 20
)

// BucketConfig is the content of BucketConfigKey (LOCKS P1). Fields that this version does
// not know are kept when it is written again.
type BucketConfig struct {
	Format int
	// ID is the random id of the bucket, a part of every lock's name.
	ID     string
	Region string
	Lock   BucketLock
	// Rebind is set while the bucket is being bound to another lock table. Until it is gone no lease is
	// given.
	Rebind *Rebind

	servers verdicts // see Verdict and Client.KeepVerdict
	unknown fields
}

// BucketLock names the lock table.
type BucketLock struct {
	// Backend is dynamodb or s3, Table the table's or bucket's name.
	Backend, Table string
	// TableID is the table's own random id, by which a copy or a new one is noticed.
	TableID string

	unknown fields
}

// A Rebind says that somebody is about to name another lock table, or was and did not come to the end.
type Rebind struct {
	ID      string    `json:"id"` // random
	Since   time.Time `json:"since"`
	By      string    `json:"by"`      // for people
	Backend string    `json:"backend"` // of the table that is to be named, and its name
	Table   string    `json:"table"`
	// Blind: whoever it is does not see who uses the table that the bucket is bound to, so that all who
	// use it have to stop.
	Blind bool `json:"blind,omitempty"`
}

type fields map[string]json.RawMessage

// ReadBucketConfig reads the bucket's configuration, and the base for writing it again. It
// fails with ErrNotFound if there is none, and otherwise as Get does.
func (c *Client) ReadBucketConfig(ctx context.Context) (BucketConfig, Base, error) {
	var info Info
	text, err := repeat(ctx, readPatience, func(ctx context.Context) ([]byte, error) {
		object, err := c.get(ctx, GetRequest{Key: BucketConfigKey})
		if err != nil {
			return nil, err
		}
		defer object.Body.Close()
		info = object.Info
		return io.ReadAll(io.LimitReader(object.Body, maxBucketConfig))
	})
	if err != nil {
		return BucketConfig{}, Base{}, cancelled(ctx, "Get", BucketConfigKey, err)
	}
	var b BucketConfig
	if err := json.Unmarshal(text, &b); err != nil {
		return BucketConfig{}, Base{}, fmt.Errorf("reading %s: %w", BucketConfigKey, err)
	}
	return b, info.Base(), nil
}

// WriteBucketConfig writes the configuration if over is still there, the zero Base if there
// was none. It fails with ErrConflict if somebody else wrote it, and otherwise as Put does,
// but no later than two attempts without an answer take.
func (c *Client) WriteBucketConfig(ctx context.Context, b BucketConfig, over Base) error {
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", BucketConfigKey, err)
	}
	text = append(text, '\n')
	t := c.timing.Load()
	ctx, cancel := context.WithTimeout(ctx, 2*(t.Stall+t.Quiet))
	defer cancel()
	w := Write{Key: BucketConfigKey, ID: NewWriteID(), Base: over, Props: Props{ContentType: "application/json"}}
	_, err = c.Put(ctx, Unleased("bucket.json stands above the lock table that it names"), w,
		Body{ReaderAt: bytes.NewReader(text), Size: int64(len(text))})
	return err
}

// MarshalJSON writes the fields that are not known after those that are.
func (b BucketConfig) MarshalJSON() ([]byte, error) {
	known := map[string]any{"format": b.Format, "id": b.ID, "region": b.Region, "lock": b.Lock}
	if b.Rebind != nil {
		known["rebind"] = b.Rebind
	}
	if !b.servers.absent() {
		known["servers"] = b.servers
	}
	return b.unknown.with(known)
}

// UnmarshalJSON says of a newer format only that it is one, whatever else stands there.
func (b *BucketConfig) UnmarshalJSON(text []byte) error {
	*b = BucketConfig{}
	var format struct{ Format int }
	if err := json.Unmarshal(text, &format); err != nil {
		return err
	}
	if format.Format > BucketFormat {
		return fmt.Errorf("it has format %d and this version of latchfs knows %d: upgrade latchfs", format.Format, BucketFormat)
	}
	err := b.unknown.split(text, map[string]any{"format": &b.Format, "id": &b.ID, "region": &b.Region, "lock": &b.Lock, "rebind": &b.Rebind, "servers": &b.servers})
	if err == nil && (b.Format < 1 || b.ID == "") {
		err = errors.New("it has no format or no id: restore an earlier version of it")
	}
	return err
}

// MarshalJSON is like that of BucketConfig.
func (l BucketLock) MarshalJSON() ([]byte, error) {
	return l.unknown.with(map[string]any{"backend": l.Backend, "table": l.Table, "table_id": l.TableID})
}

// UnmarshalJSON is like that of BucketConfig.
func (l *BucketLock) UnmarshalJSON(text []byte) error {
	*l = BucketLock{}
	return l.unknown.split(text, map[string]any{"backend": &l.Backend, "table": &l.Table, "table_id": &l.TableID})
}

// with makes one JSON object of known fields and these.
func (f fields) with(known map[string]any) ([]byte, error) {
	all := make(map[string]any, len(f)+len(known))
	for name, value := range f {
		all[name] = value
	}
	maps.Copy(all, known)
	return json.Marshal(all)
}

// split reads the known fields of a JSON object and keeps the others.
func (f *fields) split(text []byte, known map[string]any) error {
	var all fields
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	for name, to := range known {
		if value, ok := all[name]; ok {
			if err := json.Unmarshal(value, to); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			delete(all, name)
		}
	}
	if len(all) > 0 {
		*f = all
	}
	return nil
}
