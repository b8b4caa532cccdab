package cli

import (
	"testing"
	"time"

	"github.com/latchfs/latchfs/internal/volume"
)

func TestParseInit(t *testing.T) {
	got := parsed(t, "init", initCommand(Stdio{}).Flags, parseInit, "--lock", "dynamodb:my.table", "--beat", "1s", "--lease", "10s", "--delay", "5s", "--yes", "bucket")
	if got.Init.Table == nil || *got.Init.Table != (volume.TableName{Backend: volume.BackendDynamo, Table: "my.table"}) || !got.Yes || got.Source.Bucket != "bucket" ||
		got.Init.Timing.Beat != time.Second || got.Init.Timing.Lease != 10*time.Second || got.Init.Timing.Delay != 5*time.Second {
		t.Errorf("%+v", got)
	}
}
