package volume

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// What is known of the bucket of a lock table is known of that one: a table that was made anew, elsewhere or
// not, is proved with racers.
func TestProveLockTable(t *testing.T) {
	p := newProven(t, memstore.Options{})
	p.bind("T", memstore.Options{})
	raced := func(want bool, says ...string) *Volume {
		t.Helper()
		before := p.locks.Count("Put")
		v, err := p.prove()
		if err != nil {
			t.Fatal(err)
		}
		if n := p.locks.Count("Put") - before; want != (n > 20) || n == 0 {
			t.Errorf("%d PUTs to the bucket of the lock table; racing: want %v", n, want)
		}
		p.says(says...)
		return v
	}
	raced(true)
	if v := raced(false); !v.removesRecords() {
		t.Error("records are not removed")
	}
	p.bind("U", memstore.Options{Flaws: store.DeleteConditions})
	if line := p.volume().Recall(); line != "" {
		t.Error(line)
	}
	v := p.volume()
	v.Recall()
	if _, known := v.KnownTable(); known || v.removesRecords() {
		t.Error("what was known of another table counts")
	}
	puts := p.b.Count("Put")
	if v := raced(true); v.removesRecords() || p.b.Count("Put")-puts > 40 {
		t.Errorf("records are removed: %v; the bucket for files has %d PUTs", v.removesRecords(), p.b.Count("Put")-puts)
	}
	raced(false)
	p.bind("V", memstore.Options{Flaws: store.PutConditions})
	for range 2 {
		if _, err := p.prove(); err == nil || !strings.HasSuffix(err.Error(), "two hosts could hold one lock; keep the locks in DynamoDB with latchfs init --rebind --endpoint-url http://e/ --lock dynamodb:latchfs s3://b, or use another server") {
			t.Errorf("error %v", err)
		}
	}
}

// Errors of the probe of a lock table's bucket name that.
func TestProveLockTableErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProven(t, memstore.Options{})
		for says, fail := range map[string]func(){
			"the bucket's lock table s3:locks (id T) is gone": func() { p.bind("T", memstore.Options{Missing: true}) },
			"does not answer for lock table s3:locks":         func() { p.f2.On("Put").Fail(store.Unsent, errors.New("no answer")) },
		} {
			p.bind("T", memstore.Options{})
			fail()
			if _, err := p.prove(); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "bucket b") {
				t.Errorf("error %v; want %q", err, says)
			}
		}
	})
}

// Where the user does not want a probe of the bucket, what was just seen of the lock table counts, and what
// is known of the bucket.
func TestProveInitAnsweredNo(t *testing.T) {
	kept := memstore.Options{Retention: store.Retention{Mode: "GOVERNANCE", Days: 1}, Flaws: store.WrongReads}
	p := newProven(t, kept)
	p.bind("T", memstore.Options{Flaws: store.DeleteConditions})
	if err := p.init(false); err != nil {
		t.Error(err)
	}
	v := p.volume()
	v.Recall()
	if known, ok := v.KnownTable(); !ok || known.Flaws != store.DeleteConditions {
		t.Errorf("of the lock table is known %+v, %v", known, ok)
	}
	if err := p.init(true); err == nil {
		t.Error("wrong reads are accepted")
	}
	if err := p.init(false); err == nil || !strings.Contains(err.Error(), "--read-only") {
		t.Errorf("with a verdict: %v", err)
	}
	p.bind("U", memstore.Options{Flaws: store.PutConditions})
	if err := p.init(false); err == nil || !strings.Contains(err.Error(), "cannot keep a lock table") {
		t.Errorf("an unfit lock table: %v", err)
	}
}
