package memtable_test

import (
	"testing"

	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
	"github.com/latchfs/latchfs/lockmgr/tabletest"
)

func TestTable(t *testing.T) {
	tabletest.Run(t, func(*testing.T) func() lockmgr.Table {
		srv := memtable.NewServer()
		return func() lockmgr.Table { return srv.Table() }
	})
}
