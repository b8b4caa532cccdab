package volume

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/latchfs/latchfs/internal/iam"
	"github.com/latchfs/latchfs/internal/localserver"
	"github.com/latchfs/latchfs/internal/shell"
	"github.com/latchfs/latchfs/lockmgr"
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
	// Audit says how much of its author each commit carries.
	Audit store.AuditLevel
	Log   *slog.Logger
	// Existing: a local source that is not there yet is an error, and is not made.
	Existing bool
}

// A Volume is a bucket, or the part of it below a prefix, within reach.
type Volume struct {
	Source Source
	Bucket *store.Client
	// Bond is what .latchfs/bucket.json says; nil for a bucket that was not set up.
	Bond *store.BucketConfig
	// Verdict is what is known of the server, by Prove or Recall.
	Verdict store.Verdict

	at    *reach
	host  string
	log   *slog.Logger
	table *store.Probed // of the lock table's bucket, once init has probed it
	fresh bool          // versioning was just switched on
	// lockVerdict is what is known of the server on the lock table's bucket, by Prove or Recall, if it is on one;
	// lockProved: all that is asked there.
	lockVerdict store.Verdict
	lockProved  bool
}

// Open reaches the bucket and reads its bond to a lock table. A local source that has none
// is set up. Close ends the use of the volume.
func Open(ctx context.Context, o Options) (*Volume, error) {
	v, err := Dial(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := v.open(ctx, o.Log); err != nil {
		v.Discard()
		return nil, err
	}
	return v, nil
}

func (v *Volume) open(ctx context.Context, log *slog.Logger) error {
	if err := v.check(ctx); err != nil {
		return v.at.explainBucket(err)
	}
	if err := v.ReadBond(ctx); err != nil {
		return err
	}
	if v.Bond != nil || v.Source.Local == "" {
		return nil
	}
	say := func(format string, args ...any) { log.Info(fmt.Sprintf(format, args...)) }
	return v.bind(ctx, InitOptions{Say: say})
}

// Dial makes everything ready to ask the bucket; nothing is sent to it yet. It is for those who
// look at the parts of a volume one by one, and go on where Open fails: Check, ReadBond,
// LockTable. Close ends the use of the volume.
func Dial(ctx context.Context, o Options) (*Volume, error) {
	if dir := o.Source.Local; dir != "" && o.Existing && !localserver.Served(dir) {
		return nil, fmt.Errorf("%s is no folder that latchfs has kept a bucket in: name another one, or make it one with %s", dir, shell.Join("latchfs", "init", o.Source.String()))
	}
	at, err := reachSource(ctx, o.Source, o.Access, o.Log)
	if err != nil {
		return nil, err
	}
	bucket, err := at.bucket(ctx, o.Source.Bucket, store.Options{Host: o.Host, Audit: o.Audit, Log: o.Log})
	if err != nil {
		at.discard()
		return nil, err
	}
	return &Volume{Source: o.Source, Bucket: bucket, at: at, host: o.Host, log: o.Log}, nil
}

// Table gives the lock table that the bucket is bound to, whatever state it is in; nothing is sent
// yet.
func (v *Volume) Table(ctx context.Context) (lockmgr.Table, error) {
	if err := v.CheckBond(); err != nil {
		return nil, err
	}
	return v.at.table(ctx, boundTable(*v.Bond))
}

// Names names what the volume consists of, for permissions on it.
func (v *Volume) Names() iam.Names {
	n := iam.Names{Bucket: v.Source.Bucket, Region: v.at.Region}
	if v.Bond != nil {
		n.LockTable = v.Bond.Lock.Table
	}
	return n
}

// LockBucket gives the bucket that holds the lock table; nil if it is no bucket. Nothing is sent
// yet.
func (v *Volume) LockBucket(ctx context.Context) (*store.Client, error) {
	if err := v.CheckBond(); err != nil {
		return nil, err
	}
	n := boundTable(*v.Bond)
	if n.Backend != BackendS3 {
		return nil, nil
	}
	return v.at.bucket(ctx, n.Table, store.Options{})
}

// Check fails unless the bucket is there and answers.
func (v *Volume) Check(ctx context.Context) error {
	if err := v.check(ctx); err != nil {
		return v.at.explainBucket(err)
	}
	return nil
}

// Explain adds to an error of the bucket what to do about it. Other errors stay as they are.
func (v *Volume) Explain(err error) error {
	for _, known := range []error{store.ErrNoBucket, store.ErrAccessDenied, store.ErrRefused, store.ErrUnavailable} {
		if errors.Is(err, known) {
			return v.at.explainBucket(err)
		}
	}
	return err
}

// Where names the place that the bucket is asked at.
func (v *Volume) Where() string { return v.at.where() }

// InitCommand is the exact command that makes bucket, lock table and bond from here, or what of
// them is missing.
func (v *Volume) InitCommand() string {
	if v.Bond == nil {
		return v.at.initCommand("")
	}
	return v.at.initCommand(boundTable(*v.Bond).String())
}

// check is the first request to the bucket.
func (v *Volume) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return v.Bucket.CheckBucket(ctx)
}

// ReadBond reads bucket.json into Bond, which is nil if there is none.
func (v *Volume) ReadBond(ctx context.Context) error {
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

// CheckBond fails if the bucket was not set up, or is being bound to another lock table. Its lock
// table is not asked.
func (v *Volume) CheckBond() error {
	if v.Bond != nil {
		return v.checkFence(v.Bond.Rebind)
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

// Discard is Close for a volume of which nothing came: the folder of a local source is removed if
// this volume made it and nobody else uses it.
func (v *Volume) Discard() error {
	if v.at == nil {
		return nil
	}
	return v.at.discard()
}
