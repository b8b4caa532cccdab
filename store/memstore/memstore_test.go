package memstore_test

import (
	"testing"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
	"github.com/latchfs/latchfs/store/storetest"
)

func TestAPI(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.API {
		return memstore.New(memstore.Options{Missing: true})
	}, storetest.Options{})
}
