package volume

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
	"github.com/latchfs/latchfs/store/memstore"
)

// A proven bucket is one that mounts prove, with locks in DynamoDB.
type proven struct {
	*testing.T
	b        *memstore.Bucket
	f        *faultstore.Store
	endpoint string
	header   atomic.Value // a string
	degraded bool
	said     []string
	locks    *memstore.Bucket // the bucket of the lock table, once bound to it
	f2       *faultstore.Store
}

// bind binds the bucket to a lock table in a bucket on the same server.
func (p *proven) bind(id string, o memstore.Options) {
	p.locks = memstore.New(o)
	p.f2 = faultstore.New(p.locks)
	text := regexp.MustCompile(`"lock":[^}]*}`).ReplaceAllString(strings.ReplaceAll(p.config(), "\n", ""), `"lock":{"backend":"s3","table":"locks","table_id":"`+id+`"}`)
	p.b.PutForeign(store.BucketConfigKey, strings.ReplaceAll(text, `"lock": {`, `"lock":{`))
}

func newProven(t *testing.T, o memstore.Options) *proven {
	o.Versioned = true
	p := &proven{T: t, b: memstore.New(o), endpoint: "http://e/"}
	p.header.Store("s/1")
	p.f = faultstore.New(p.b)
	p.b.PutForeign(store.BucketConfigKey, `{"format":1,"id":"i","lock":{"backend":"dynamodb","table":"t"}}`)
	return p
}

// named is a server with a name that changes.
type named struct {
	store.API
	p *proven
}

func (n named) Server() string { return n.p.header.Load().(string) }

// volume reaches the bucket as a new process does.
func (p *proven) volume() *Volume {
	p.Helper()
	src := Source{Bucket: "b"}
	v := &Volume{Source: src, Bucket: store.New(named{p.f, p}, store.Options{}), at: &reach{src: src, Access: Access{Endpoint: p.endpoint, Region: "r"}}}
	v.at.asked.Endpoint = p.endpoint
	v.at.dial = func(_ context.Context, c store.S3Config) (store.API, error) {
		if c.Bucket != "locks" {
			return nil, fmt.Errorf("bucket %s", c.Bucket)
		}
		return named{p.f2, p}, nil
	}
	if err := v.ReadBond(p.Context()); err != nil {
		p.Fatal(err)
	}
	p.said = nil
	return v
}

func (p *proven) prove() (*Volume, error) {
	p.Helper()
	v := p.volume()
	err := v.Prove(p.Context(), Proving{Versioned: true, Degraded: p.degraded, Say: func(warn bool, line string) {
		p.said = append(p.said, fmt.Sprintf("%v %s", warn, line))
	}})
	return v, err
}

// init runs what init does about the server; yes answers its question.
func (p *proven) init(yes bool) error {
	p.Helper()
	return p.volume().proveInit(p.Context(), InitOptions{
		Say: func(format string, args ...any) { p.said = append(p.said, fmt.Sprintf(format, args...)) },
		Confirm: func(question string) error {
			p.said = append(p.said, question)
			if yes {
				return nil
			}
			return errors.New("you did not say yes")
		},
	})
}

// mounts checks that a mount is possible, what it says, and how many requests race.
func (p *proven) mounts(flaws store.Flaws, races bool, says ...string) *Volume {
	p.Helper()
	before := p.b.Count("Put")
	v, err := p.prove()
	if err != nil || v.Bucket.Flaws() != flaws || v.Verdict.Flaws != flaws {
		p.Errorf("error %v, flaws %s, verdict %+v; want %s", err, v.Bucket.Flaws(), v.Verdict, flaws)
	}
	if got := p.b.Count("Put") - before; races != (got > 20) {
		p.Errorf("%d PUTs; racing: want %v", got, races)
	}
	p.says(says...)
	return v
}

// says checks that each line was said, and no other.
func (p *proven) says(want ...string) {
	p.Helper()
	ok := len(p.said) == len(want)
	for i, s := range want {
		ok = ok && strings.Contains(p.said[i], s)
	}
	if !ok {
		p.Errorf("said %q, want %q", p.said, want)
	}
}

func (p *proven) config() string {
	text, _ := p.b.Content(store.BucketConfigKey)
	return text
}

// The first mount lets racers race and keeps the verdict; later ones only ask again.
func TestProveKeepsTheVerdict(t *testing.T) {
	p := newProven(t, memstore.Options{})
	p.mounts(0, true)
	first := p.config()
	if !strings.Contains(first, `"endpoint": "http://e"`) {
		t.Errorf("kept %s", first)
	}
	p.mounts(0, false)
	if p.config() != first || len(p.b.History(store.BucketConfigKey)) != 2 {
		t.Errorf("written again: %s", p.config())
	}
	p.header.Store("s/2")
	p.mounts(0, true)
	p.endpoint = "http://other"
	p.mounts(0, true)
	if keys := p.b.Keys(); !slices.Equal(keys, []string{store.BucketConfigKey}) {
		t.Errorf("left %q", keys)
	}
}

// What a server does wrong now counts, and what racers showed once.
func TestProveJoinsRaces(t *testing.T) {
	for flaw, says := range map[store.Flaws]string{store.CompleteConditions: "saved by one PUT", store.DeleteConditions: "as --accept-degraded allows"} {
		p := newProven(t, memstore.Options{Races: flaw})
		p.degraded = true
		for !strings.Contains(p.config(), `"races"`) { // a busy machine may let one win after the other
			if err := p.init(true); err != nil {
				t.Fatal(err)
			}
		}
		p.mounts(flaw, false, "true the S3 server \"s/1\" at http://e/ ")
		p.mounts(flaw, false, says)
	}
	s := subject{bucket: newProven(t, memstore.Options{}).volume().Bucket}
	old := lesson{known: store.Verdict{Flaws: store.CopyConditions | store.CompleteConditions, Races: store.CompleteConditions}, recalled: true,
		found: store.Probed{Flaws: store.PartSource}}
	if now := s.verdict(old); now.Flaws != store.PartSource|store.CompleteConditions || now.Races != store.CompleteConditions {
		t.Errorf("joined %+v", now)
	}
	old.races = true
	if now := s.verdict(old); now.Flaws != store.PartSource || now.Races != 0 {
		t.Errorf("raced again %+v", now)
	}
}

// SEMANTICS "Servers": each flaw has its mode.
func TestProveModes(t *testing.T) {
	for _, c := range []struct {
		flaw, degraded bool
		flaws          store.Flaws
		refuses        string
		says           []string
	}{
		{flaws: store.CopyConditions, says: []string{"false the S3 server"}},
		{flaws: store.CompleteConditions, says: []string{"true the S3 server"}},
		{flaws: store.DeleteConditions, refuses: "--accept-degraded"},
		{flaws: store.DeleteConditions, degraded: true, says: []string{"true the S3 server"}},
		{flaws: store.PutConditions, degraded: true, refuses: "--read-only"},
		{flaws: store.AbortHarms, degraded: true, refuses: "--read-only"},
		{flaws: store.WrongReads, degraded: true, refuses: "--read-only"},
		{flaws: store.WrongHistory, degraded: true, refuses: "--read-only"},
	} {
		t.Run(c.flaws.String(), func(t *testing.T) {
			p := newProven(t, memstore.Options{Flaws: c.flaws})
			p.degraded = c.degraded
			if c.refuses == "" {
				p.mounts(c.flaws, !c.flaws.Has(store.PutConditions), c.says...)
				return
			}
			if _, err := p.prove(); err == nil || !strings.Contains(err.Error(), c.refuses) || !strings.HasPrefix(err.Error(), `the S3 server "s/1" at http://e/ `) {
				t.Errorf("error %v", err)
			}
			if _, err := p.prove(); err == nil {
				t.Error("the second mount is not refused")
			}
		})
	}
}

// AWS is not probed at a mount; what init found there counts.
func TestProveOnAWS(t *testing.T) {
	p := newProven(t, memstore.Options{Flaws: store.CopyConditions})
	p.endpoint = ""
	before := p.b.Count("Put")
	v, err := p.prove()
	if err != nil || v.Bucket.Flaws() != 0 || p.b.Count("Put") != before || p.b.Count("DefaultRetention") != 0 {
		t.Errorf("%v, flaws %s, %d PUTs", err, v.Bucket.Flaws(), p.b.Count("Put")-before)
	}
	if err := p.init(true); err != nil {
		t.Fatal(err)
	}
	if v, err = p.prove(); err != nil || v.Bucket.Flaws() != store.CopyConditions {
		t.Errorf("after init: %v, flaws %s", err, v.Bucket.Flaws())
	}
}

// A verdict under the name that a server had before its probe is about no other: where several servers stand
// behind one address, what each of them is known to do wrong counts, and nothing is kept.
func TestProveBehindABalancer(t *testing.T) {
	p := newProven(t, memstore.Options{})
	swap := func() {
		p.f.Hook(func(op, _ string, _ int) faultstore.Fault {
			switch op {
			case "Copy":
				p.header.Store("s/2")
			case "Delete": // the last kind of request that races: it is the first server again
				p.header.Store("s/1")
			}
			return faultstore.Fault{}
		})
	}
	swap()
	before := p.config()
	p.mounts(0, true, `false the S3 server at http://e/ says that it is "s/1", and "s/2"`)
	if p.config() != before {
		t.Errorf("kept %s", p.config())
	}
	p.f.Heal()
	if err := store.New(p.f, store.Options{}).KeepVerdicts(t.Context(), store.Verdict{Endpoint: "http://e", Server: "s/2", Flaws: store.WrongReads}); err != nil {
		t.Fatal(err)
	}
	p.header.Store("s/1")
	swap()
	if _, err := p.prove(); err == nil || !strings.Contains(err.Error(), "--read-only") {
		t.Errorf("what the other is known to do: %v", err)
	}
}

// Who may not write bucket.json mounts all the same.
func TestProveWithoutKeeping(t *testing.T) {
	p := newProven(t, memstore.Options{})
	p.f.On("Put").Key(store.BucketConfigKey).Fail(store.Refused, store.ErrAccessDenied)
	p.mounts(0, true, "false what was found of the S3 server")
	p.mounts(0, true, "false what was found of the S3 server")
}

// A read-only mount writes nothing, and tells of reads that are known to be wrong.
func TestRecall(t *testing.T) {
	p := newProven(t, memstore.Options{Flaws: store.WrongReads | store.CopyConditions})
	if line := p.volume().Recall(); line != "" {
		t.Errorf("before anything is known: %q", line)
	}
	if err := p.init(true); err == nil || !strings.Contains(err.Error(), "--read-only") {
		t.Errorf("init: %v", err)
	}
	v := p.volume()
	before := fmt.Sprint(p.b.Requests())
	if line := v.Recall(); !strings.Contains(line, "reads other bytes") || strings.Contains(line, "CopyObject") {
		t.Errorf("said %q", line)
	}
	if now := fmt.Sprint(p.b.Requests()); now != before || v.Bucket.Flaws() != store.WrongReads|store.CopyConditions {
		t.Errorf("requests %s, before %s; flaws %s", now, before, v.Bucket.Flaws())
	}
}

// Init says what it found, and fails if no more than a read-only mount is possible.
func TestProveInit(t *testing.T) {
	p := newProven(t, memstore.Options{})
	if err := p.init(true); err != nil {
		t.Error(err)
	}
	p.says(`server: the S3 server "s/1" at http://e/ does all that a mount relies on`)
	text := p.config()
	if err := p.init(true); err != nil || p.config() != text {
		t.Errorf("init again: %v, wrote %s", err, p.config())
	}
	p = newProven(t, memstore.Options{Flaws: store.DeleteConditions})
	if err := p.init(true); err != nil {
		t.Error(err)
	}
	p.says("--accept-degraded")
	p = newProven(t, memstore.Options{Flaws: store.PutConditions})
	if err := p.init(true); err == nil || !strings.Contains(err.Error(), "--read-only") {
		t.Error(err)
	}
}

// A probe that is interrupted ends the mount with the cause.
func TestProveInterrupted(t *testing.T) {
	p := newProven(t, memstore.Options{})
	cause := errors.New("SIGTERM")
	ctx, cancel := context.WithCancelCause(t.Context())
	p.f.Hook(func(op, _ string, n int) faultstore.Fault {
		if op == "Copy" {
			cancel(cause)
		}
		return faultstore.Fault{}
	})
	v := p.volume()
	if err := v.Prove(ctx, Proving{Versioned: true}); !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
	if keys := p.b.Keys(); len(keys) != 1 {
		t.Errorf("left %q", keys)
	}
}

// A verdict that cannot be written soon holds nobody up.
func TestProveWhileBucketJSONHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProven(t, memstore.Options{})
		p.f.On("Put").Key(store.BucketConfigKey).Hang()
		began := time.Now()
		p.mounts(0, true, "false what was found of the S3 server")
		if took := time.Since(began); took > keepTime+time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
