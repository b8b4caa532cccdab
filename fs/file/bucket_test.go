package file

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// A bucket is a bucket in memory with the network before it and the client that the hosts of a
// test share. Its own methods are what somebody else does to the bucket and sees in it, and
// what goes wrong on the way there.
type bucket struct {
	*store.Client
	mem *memstore.Bucket
	net *faultstore.Store
}

// newBucket makes a bucket that keeps versions.
func newBucket() *bucket { return bucketOf(memstore.Options{Versioned: true}) }

func bucketOf(o memstore.Options) *bucket {
	mem := memstore.New(o)
	net := faultstore.New(mem)
	b := &bucket{Client: store.New(net, store.Options{Host: "here"}), mem: mem, net: net}
	b.SetFlaws(o.Flaws) // a mount finds them out
	return b
}

// put is a foreign writer.
func (b *bucket) put(key, body string) store.Info { return b.mem.PutForeign(key, body) }

// remove is a foreign writer's delete.
func (b *bucket) remove(key string) { b.mem.DeleteForeign(key) }

// get returns the current content; "-" if there is none.
func (b *bucket) get(key string) string {
	if body, ok := b.mem.Content(key); ok {
		return body
	}
	return "-"
}

// info describes the current object; the zero Info if there is none.
func (b *bucket) info(key string) store.Info {
	vs := b.mem.History(key)
	if len(vs) == 0 || vs[len(vs)-1].Deleted {
		return store.Info{}
	}
	return vs[len(vs)-1].Info
}

// versions counts the versions and delete markers of a key.
func (b *bucket) versions(key string) int { return len(b.mem.History(key)) }

// version returns the content of the i-th version of a key, the oldest being 0.
func (b *bucket) version(key string, i int) string {
	o, err := b.mem.Get(context.Background(), store.GetRequest{Key: key, Version: b.mem.History(key)[i].Info.VersionID})
	if err != nil {
		return err.Error()
	}
	defer o.Body.Close()
	text, err := io.ReadAll(o.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// like returns the keys that contain part.
func (b *bucket) like(part string) []string {
	return slices.DeleteFunc(b.mem.Keys(), func(k string) bool { return !strings.Contains(k, part) })
}

// count tells how many requests of an operation have arrived.
func (b *bucket) count(op string) int { return b.mem.Count(op) }

// changes are the operations that change what is under a name.
var changeOps = []string{"Put", "Copy", "CreateUpload", "CompleteUpload", "Delete"}

var (
	errReset = errors.New("connection reset by peer")
	errDial  = errors.New("no route to host")
)

// before lets do decide what happens to each request of an operation for a key; it runs just
// before the request.
func (b *bucket) before(op, key string, do func() faultstore.Fault) {
	b.net.Hook(func(o, k string, _ int) faultstore.Fault {
		if o != op || k != key {
			return faultstore.Fault{}
		}
		return do()
	})
}

// once runs do just before the next request of an operation for a key.
func (b *bucket) once(op, key string, do func()) {
	var done atomic.Bool
	b.before(op, key, func() faultstore.Fault {
		if !done.Swap(true) {
			do()
		}
		return faultstore.Fault{}
	})
}

// refusal is the answer of a bucket that does not allow a change.
var refusal = faultstore.Fault{Err: &store.AttemptError{Fate: store.Refused, Err: store.ErrAccessDenied}}

// refuse makes the bucket refuse every change, until the network heals.
func (b *bucket) refuse() {
	for _, op := range changeOps {
		b.net.On(op).Fail(store.Refused, store.ErrAccessDenied)
	}
}

// outage swallows every change, without an answer, until end is called. Of the requests that
// come then none is swallowed.
func (b *bucket) outage() (end func()) {
	var over atomic.Bool
	b.net.Hook(func(op, _ string, _ int) faultstore.Fault {
		return faultstore.Fault{Hang: slices.Contains(changeOps, op) && !over.Load()}
	})
	return func() { over.Store(true) }
}

// hang takes the answers from all changes, whether they are applied or not, and then from the
// looks that would tell what became of them.
func (b *bucket) hang(applied bool) {
	var sent sync.Map
	b.net.Hook(func(op, key string, _ int) faultstore.Fault {
		_, unknown := sent.Load(key)
		switch {
		case slices.Contains(changeOps, op):
			sent.Store(key, true)
			return faultstore.Fault{Hang: true, LoseReply: applied && !unknown}
		case op == "Head" && unknown:
			return faultstore.Fault{Hang: true}
		}
		return faultstore.Fault{}
	})
}
