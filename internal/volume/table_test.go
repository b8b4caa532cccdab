package volume

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

func TestTimesFollowFromTheTable(t *testing.T) {
	table := LockTable{Name: TableName{BackendDynamo, "locks"}, Config: lockmgr.Config{
		Timing: lockmgr.Timing{Beat: 3 * time.Second, Lease: 20 * time.Second, Delay: 30 * time.Second},
	}}
	if got, want := table.LockTimeout(), 100*time.Second; got != want {
		t.Errorf("an open waits %s, want %s", got, want)
	}
	if got, want := table.FlushTimeout(), 80*time.Second; got != want {
		t.Errorf("a close waits %s, want %s", got, want)
	}
	for _, d := range []time.Duration{table.FlushTimeout(), 50 * time.Second} {
		if use, warning, err := table.AllowFlushTimeout(d); use != d || warning != "" || err != nil {
			t.Errorf("%s: %s, %q, %v", d, use, warning, err)
		}
	}
	_, _, err := table.AllowFlushTimeout(50*time.Second - 1)
	if _, usage := errors.AsType[*UsageError](err); !usage || !strings.Contains(err.Error(), "dynamodb:locks: give it 50.001s or more") {
		t.Errorf("less than that: %v", err)
	}
}

// A time that was long enough until more was known of the server is raised, and no mount fails for it.
func TestFlushTimeoutFollowsFromTheServer(t *testing.T) {
	table := LockTable{Name: TableName{BackendDynamo, "locks"}, Config: lockmgr.Config{
		Timing: lockmgr.Timing{Beat: 3 * time.Second, Lease: 20 * time.Second, Delay: 30 * time.Second},
	}}.on(store.CompleteConditions)
	for _, c := range []struct{ asked, use time.Duration }{{50 * time.Second, 200 * time.Second}, {199 * time.Second, 200 * time.Second}, {200 * time.Second, 200 * time.Second}, {time.Hour, time.Hour}} {
		use, warning, err := table.AllowFlushTimeout(c.asked)
		says := fmt.Sprintf("--flush-timeout %s is too short for the S3 server, where a request that was given up may land 2m30s later than on others: it is 3m20s here", c.asked)
		if use != c.use || err != nil || (warning != "") != (c.asked < c.use) || warning != "" && !strings.HasPrefix(warning, says) {
			t.Errorf("%s: %s, %q, %v", c.asked, use, warning, err)
		}
	}
	if _, _, err := table.AllowFlushTimeout(50*time.Second - 1); err == nil {
		t.Error("what no server allows is not refused")
	}
}

// LOCKS P4.3: where one request may make 5 GiB, that may land 150 s later than any other. Nobody takes over a
// lock before, and whoever waits for one has the patience.
func TestTimesFollowFromTheServer(t *testing.T) {
	table := LockTable{Config: lockmgr.Config{Timing: lockmgr.Timing{Beat: 3 * time.Second, Lease: 20 * time.Second, Delay: 30 * time.Second}}}
	if got := table.on(store.CopyConditions); got != table {
		t.Errorf("where copies are uploads: %+v", got)
	}
	got := table.on(store.CompleteConditions)
	if got.Config.Delay != 180*time.Second || got.LockTimeout() != 400*time.Second || got.FlushTimeout() != 380*time.Second {
		t.Errorf("where all is one PUT: %+v, %v, %v", got, got.LockTimeout(), got.FlushTimeout())
	}
}

// A table that was made anew under its old name knows nothing of the locks that others hold.
func TestTableOfTheSameNameIsRefused(t *testing.T) {
	v := &Volume{Source: Source{Bucket: "b"}, at: &reach{src: Source{Bucket: "b"}}, Bond: &store.BucketConfig{
		Lock: store.BucketLock{Backend: BackendS3, Table: "locks", TableID: "one"},
	}}
	if err := v.checkTable(lockmgr.Config{ID: "one"}); err != nil {
		t.Errorf("the table of the bond: %v", err)
	}
	err := v.checkTable(lockmgr.Config{ID: "two"})
	if err == nil || !strings.Contains(err.Error(), "has id two") || !strings.HasSuffix(err.Error(), "bind the bucket to this one with latchfs init --rebind --lock s3:locks s3://b") {
		t.Errorf("another table: %v", err)
	}
}

func TestVolumeWithoutABond(t *testing.T) {
	v := &Volume{Source: Source{Bucket: "b"}, at: &reach{src: Source{Bucket: "b"}}}
	const says = "bucket b has no .latchfs/bucket.json, which binds it to its lock table: run latchfs init s3://b"
	if err := v.CheckBond(); err == nil || err.Error() != says {
		t.Errorf("CheckBond: %v", err)
	}
	if _, err := v.LockTable(t.Context()); err == nil || err.Error() != says {
		t.Errorf("LockTable: %v", err)
	}
}
