package volume

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/latchfs/latchfs/store"
)

// answerTimeout bounds the first request to a server: somebody waits for it, and what does
// not answer is most often an address with a mistake in it.
const answerTimeout = 10 * time.Second

// Options say which volume is meant and how to reach it.
type Options struct {
	Source Source
	Access Access
	Host   string // the name of this host, which is noted with what is written
	Log    *slog.Logger
}

// A Volume is a bucket, or the part of it below a prefix, within reach.
type Volume struct {
	Source Source
	Bucket *store.Client
	// Bond is what .latchfs/bucket.json says; nil for a bucket that was not set up.
	Bond *store.BucketConfig

	at *reach
}

// Open reaches the bucket and reads its bond to a lock table. A local source that has none
// is set up. Close ends the use of the volume.
func Open(ctx context.Context, o Options) (*Volume, error) {
	v, err := dial(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := v.open(ctx, o.Log); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

func (v *Volume) open(ctx context.Context, log *slog.Logger) error {
	if err := v.check(ctx); err != nil {
		return v.at.explainBucket(err)
	}
	if err := v.readBond(ctx); err != nil {
		return err
	}
	if v.Bond != nil || v.Source.Local == "" {
		return nil
	}
	say := func(format string, args ...any) { log.Info(fmt.Sprintf(format, args...)) }
	return v.bind(ctx, InitOptions{Say: say})
}

// dial makes everything ready to ask the bucket; nothing is sent to it yet.
func dial(ctx context.Context, o Options) (*Volume, error) {
	at, err := reachSource(ctx, o.Source, o.Access, o.Log)
	if err != nil {
		return nil, err
	}
	api, err := store.DialS3(ctx, store.S3Config{
		Bucket: o.Source.Bucket, Region: at.Region, Endpoint: at.Endpoint, Profile: at.Profile, PathStyle: at.PathStyle,
		AccessKey: at.AccessKey, SecretKey: at.SecretKey, Credentials: at.credentials,
	})
	if err != nil {
		at.close()
		return nil, fmt.Errorf("bucket %s: %w", o.Source.Bucket, err)
	}
	return &Volume{Source: o.Source, Bucket: store.New(api, store.Options{Host: o.Host, Log: o.Log}), at: at}, nil
}

// check is the first request to the bucket: it is there and answers.
func (v *Volume) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return v.Bucket.CheckBucket(ctx)
}

// readBond reads bucket.json into Bond, which is nil if there is none.
func (v *Volume) readBond(ctx context.Context) error {
	c, _, err := v.Bucket.ReadBucketConfig(ctx)
	switch {
	case errors.Is(err, store.ErrNotFound):
		v.Bond = nil
		return nil
	case err != nil:
		return v.at.explainBucket(err)
	}
	v.Bond = &c
	return nil
}

// CheckBond fails if the bucket was not set up. Its lock table is not asked.
func (v *Volume) CheckBond() error {
	if v.Bond != nil {
		return nil
	}
	return fmt.Errorf("bucket %s has no %s, which binds it to its lock table: run %s",
		v.Source.Bucket, store.BucketConfigKey, v.at.initCommand(""))
}

// Versioned tells whether the bucket keeps versions.
func (v *Volume) Versioned(ctx context.Context) (bool, error) {
	versioned, err := v.Bucket.Versioned(ctx)
	if err != nil {
		return false, v.at.explainBucket(err)
	}
	return versioned, nil
}

// RereadCredentials looks for the credentials of the bucket and its lock table anew, also in the
// SDK's files, which may have changed. If there are none those at hand stay.
func (v *Volume) RereadCredentials(ctx context.Context) error {
	if v.at.credentials == nil {
		return nil // the embedded server keeps its keys
	}
	ctx, cancel := context.WithTimeout(ctx, credentialsTimeout)
	defer cancel()
	return v.at.credentials.Reread(ctx)
}

// Close ends the use of the embedded server of a local source. A Volume that Open did not
// make uses none.
func (v *Volume) Close() error {
	if v.at == nil {
		return nil
	}
	return v.at.close()
}
