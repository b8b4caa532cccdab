package file

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/lockmgr/memtable"
)

// SEMANTICS G1, G2, G4 over the real lock manager: two hosts count in one file, each round
// open, read, add one, close; no round fails, none is lost, and both get their turns.
func TestTwoHostsCount(t *testing.T) {
	const rounds = 60
	synctest.Test(t, func(t *testing.T) {
		b, server := newBucket(), memtable.NewServer()
		b.put("n", "0")
		var wg sync.WaitGroup
		for i := range 2 {
			h, m := newManagedHost(t, b, server.Table(), fmt.Sprint("host", i))
			defer m.Close(context.Background())
			defer h.stop()
			r := rand.New(rand.NewPCG(uint64(i), 1))
			wg.Go(func() {
				for range rounds {
					if err := h.add("n"); err != nil {
						t.Errorf("host %d: %v", i, err)
						return
					}
					time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
				}
			})
		}
		wg.Wait()
		if got := b.get("n"); got != strconv.Itoa(2*rounds) {
			t.Errorf("counted %s, want %d", got, 2*rounds)
		}
		if n := b.versions("n"); n != 2*rounds+1 {
			t.Errorf("%d versions", n)
		}
	})
}

// add adds one to the number in a file.
func (h *host) add(key string) error {
	ctx := context.Background()
	x, err := h.tryOpen(key, "r+")
	if err != nil {
		return err
	}
	defer x.Release()
	buf := make([]byte, 20)
	k, err := x.Read(ctx, buf, 0)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(buf[:k]))
	if err != nil {
		return err
	}
	text := strconv.Itoa(n + 1)
	if _, err := x.Write([]byte(text), 0); err != nil {
		return err
	}
	return x.Flush(ctx, caller)
}

// LOCKS P5, P7: a host that is cut off from the lock table for longer than its lease loses
// nothing: the other host gets the file, and what was accepted is in a conflict file.
func TestPartitionedHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, server := newBucket(), memtable.NewServer()
		b.put("a", "base")
		table := server.Table()
		cut, m1 := newManagedHost(t, b, table, "cut")
		well, m2 := newManagedHost(t, b, server.Table(), "well")
		defer m1.Close(context.Background())
		defer m2.Close(context.Background())
		defer cut.stop()
		defer well.stop()
		x := cut.open("a", "r+")
		cut.write(x, "cut off", 0)
		table.Partition(true)
		y := well.open("a", "r+")
		if got := well.read(y); got != "base" {
			t.Errorf("the other host reads %q", got)
		}
		well.write(y, "well", 0)
		if err := well.close(y); err != nil {
			t.Errorf("close on the other host: %v", err)
		}
		table.Partition(false)
		time.Sleep(time.Minute)
		if err := cut.close(x); !errors.Is(err, ErrConflicted) {
			t.Errorf("close on the host that was cut off: %v", err)
		}
		kept := b.like(".conflict-")
		if b.get("a") != "well" || len(kept) != 1 || b.get(kept[0]) != "cut off" {
			t.Errorf("name %q, kept %v", b.get("a"), kept)
		}
	})
}

// LOCKS P9: a create, write and close costs one lock request on its path and one in the
// background.
func TestLockRequestsPerCreate(t *testing.T) {
	const files = 200
	synctest.Test(t, func(t *testing.T) {
		b, server := newBucket(), memtable.NewServer()
		table := server.Table()
		h, m := newManagedHost(t, b, table, "h")
		defer m.Close(context.Background())
		defer h.stop()
		for i := range files {
			x := h.open(fmt.Sprint("f", i), "c")
			h.write(x, "x", 0)
			if err := h.close(x); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		n := int64(0)
		for verb, k := range table.Requests() {
			if verb == "acquire" || verb == "release" || verb == "steal" || verb == "get" {
				n += k
			}
		}
		if n != 2*files {
			t.Errorf("%d lock requests for %d creates: %v", n, files, table.Requests())
		}
		if puts := b.count("Put"); puts != files {
			t.Errorf("%d puts", puts)
		}
	})
}
