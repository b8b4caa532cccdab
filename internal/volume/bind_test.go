package volume

import (
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/internal/localserver"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/store"
)

func TestChooseTable(t *testing.T) {
	asked := TableName{BackendS3, "asked"}
	bond := &store.BucketConfig{Lock: store.BucketLock{Backend: BackendDynamo, Table: "bound"}}
	off := Access{Endpoint: "http://e"}
	for _, c := range []struct {
		name   string
		local  string
		bond   *store.BucketConfig
		at     Access
		asked  *TableName
		rebind bool
		want   TableName
		says   string // of the error
	}{
		{name: "the bond's", bond: bond, at: off, want: TableName{BackendDynamo, "bound"}},
		{name: "the bond's, asked for too", bond: bond, asked: &TableName{BackendDynamo, "bound"}, want: TableName{BackendDynamo, "bound"}},
		{name: "another than the bond's", bond: bond, asked: &asked, says: "is bound to lock table dynamodb:bound, not to s3:asked: leave --lock out, or, if no host has the bucket mounted, move it with latchfs init --rebind --lock s3:asked s3://b"},
		{name: "another than the bond's, which is meant", bond: bond, asked: &asked, rebind: true, want: asked},
		{name: "the bond's, bound anew", bond: bond, rebind: true, want: TableName{BackendDynamo, "bound"}},
		{name: "the one asked for", at: off, asked: &asked, want: asked},
		{name: "a local source's", local: "/srv", at: off, want: TableName{BackendS3, localserver.LocksBucket}},
		{name: "the default on AWS", want: TableName{BackendDynamo, "latchfs"}},
		{name: "none", at: off, says: "has to be named: run latchfs init --lock s3:b-locks s3://b, or"},
	} {
		v := &Volume{Source: Source{Local: c.local, Bucket: "b"}, Bond: c.bond, at: &reach{Access: c.at, src: Source{Local: c.local, Bucket: "b"}}}
		got, err := v.chooseTable(InitOptions{Table: c.asked, Rebind: c.rebind})
		switch {
		case c.says == "" && (err != nil || got != c.want):
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %s, %v; want %q", c.name, got, err, c.says)
		}
	}
}

func TestWithDefaults(t *testing.T) {
	d := lockmgr.Timing{Beat: 1, Lease: 2, Delay: 3}
	if got := withDefaults(lockmgr.Timing{}, d); got != d {
		t.Errorf("nothing was asked for: %v", got)
	}
	want := lockmgr.Timing{Beat: 1, Lease: time.Minute, Delay: 3}
	if got := withDefaults(lockmgr.Timing{Lease: time.Minute}, d); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}
