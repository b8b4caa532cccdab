package integration

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/contest"
	"github.com/latchfs/latchfs/integration/harness"
	"github.com/latchfs/latchfs/store"
)

var (
	serversFor    = flag.Duration("servers.for", 3*time.Second, "how long the contest on each server is")
	serversPauses = flag.Duration("servers.pauses", 500*time.Millisecond, "the longest pause of a mount in a contest")
	serversRecord = flag.Bool("servers.record", false, "write what was found into docs/SERVERS.md")
)

// A ratedServer is an S3 server, and what is known to be wrong with it.
type ratedServer struct {
	name    string
	flaws   store.Flaws
	ignored harness.Conditions // not 0: it is a stripping proxy before our own server
	small   bool               // it cannot take large files
	// sometimes are flaws that racers show now and then, since the server judges and writes in two steps.
	sometimes store.Flaws
	crashes   bool // each listing crashes once the probe has removed what it wrote: nothing can be mounted
	long      bool // it takes minutes to install: not a part of make test
}

// conditions are the flaws that a stripping proxy can have.
const conditions = store.PutConditions | store.CopyConditions | store.PartSource | store.CompleteConditions | store.DeleteConditions

// ownServer is the one that has no flaws.
const ownServer = "latchfs-local"

var ratedServers = []ratedServer{
	{name: ownServer},
	{name: "moto", sometimes: store.PutConditions, flaws: store.CopyConditions | store.PartSource | store.CompleteConditions | store.WrongHistory},
	// Ministack takes seconds for each part, and does nothing else meanwhile.
	{name: "ministack", flaws: store.CopyConditions, small: true},
	{name: "MinIO", flaws: store.CopyConditions | store.PartSource | store.DeleteConditions, long: true},
	{name: "versitygw posix", sometimes: store.DeleteConditions, flaws: store.PutConditions | store.CopyConditions, long: true},
	{name: "gofakes3", flaws: store.CopyConditions | store.PartSource | store.CompleteConditions | store.DeleteConditions | store.WrongHistory, long: true, crashes: true},
	{name: "proxy that ignores all conditions", flaws: conditions, ignored: harness.OnEverything},
	{name: "proxy that ignores those on CopyObject", flaws: store.CopyConditions, ignored: harness.OnCopy},
	{name: "proxy that ignores those of any copy", flaws: store.CopyConditions | store.PartSource, ignored: harness.OnCopy | harness.OnPartSource},
	{name: "proxy that ignores those on Complete", flaws: store.CompleteConditions, ignored: harness.OnComplete},
	{name: "proxy that ignores those on CopyObject and Complete", flaws: store.CopyConditions | store.CompleteConditions, ignored: harness.OnCopy | harness.OnComplete},
	{name: "proxy that ignores those on DELETE", flaws: store.DeleteConditions, ignored: harness.OnDelete},
}

// start starts the server. The foreign client of a contest has an address of its own, which ignores
// nothing that the server itself does not ignore.
func (s ratedServer) start(e *harness.Env) (mounts, foreign harness.Endpoint) {
	e.Helper()
	switch {
	case s.name != ownServer && s.ignored == 0:
		mounts = e.ForeignServer(s.name)
		return mounts, mounts
	default:
		local, err := e.Suite.S3()
		e.Must(err)
		if s.ignored == 0 {
			return local, local
		}
		return e.StrippingServer(local, s.ignored), local
	}
}

// TestServers holds a mount against S3 servers with flaws: it sees them, refuses what they cannot be
// trusted with, and loses nothing of what a foreign client writes meanwhile.
// SEMANTICS G1
func TestServers(t *testing.T) { testServers(t, false) }

// TestLongServers is TestServers with the servers that take minutes to install.
func TestLongServers(t *testing.T) { testServers(t, true) }

func testServers(t *testing.T, long bool) {
	t.Parallel()
	for _, s := range ratedServers {
		if s.long == long {
			t.Run(s.name, s.test) // one after the other: a contest is much work
		}
	}
}

func (s ratedServer) test(t *testing.T) {
	e := suite.New(t)
	mounts, foreign := s.start(e)
	b := e.NoBucketOn(mounts, harness.OnDynamoDB, harness.Patient)
	o := b.Latchfs(b.InitArgs()...)
	if want := verdictOf(s.flaws) == readOnly; want != (o.Code == 1) || !strings.Contains(o.Out+o.Err, s.says()) {
		t.Fatalf("latchfs init: exit code %d, and it is to say %q\n%s%s", o.Code, s.says(), o.Out, o.Err)
	}
	f := found{flaws: s.seen(b, foreign), day: time.Now().UTC().Format(time.DateOnly), contest: "none"}
	if f.flaws&^s.sometimes != s.flaws {
		t.Fatalf("the flaws that were found are %s, want %s", f.flaws, s.flaws)
	}
	f.flaws = s.flaws
	switch verdictOf(f.flaws) {
	case readOnly:
		s.refused(b)
		if !s.crashes {
			s.reads(b, foreign)
		}
	case degraded:
		s.refused(b)
		f.contest = s.contest(b, foreign, "--accept-degraded")
	default:
		f.contest = s.contest(b, foreign)
	}
	if *serversRecord && s.ignored == 0 && s.name != ownServer && !t.Failed() {
		var err error
		f.version, err = e.Suite.ForeignVersion(s.name)
		e.Must(err)
		e.Must(s.record(f))
	}
}

// says is a part of the line that init and mount say about the server.
func (s ratedServer) says() string {
	switch v := verdictOf(s.flaws); {
	case s.flaws == 0:
		return "does all that a mount relies on"
	case v == readOnly:
		return "mount it with --read-only, or use another server"
	case v == degraded:
		return "--accept-degraded"
	case s.flaws.Has(store.CompleteConditions):
		return "files over 5 GiB fail with EFBIG"
	}
	return "nothing has to be done, copies are made by other requests"
}

// seen are the flaws that bucket.json says init has found.
func (s ratedServer) seen(b *harness.Bucket, foreign harness.Endpoint) store.Flaws {
	b.Helper()
	text, err := harness.NewClient(foreign, b.Name).Get(b.Timeout(time.Minute), store.BucketConfigKey, "")
	b.Must(err)
	var config struct {
		Servers []struct {
			Endpoint string
			Flaws    []string
		}
	}
	b.Must(json.Unmarshal(text, &config))
	if len(config.Servers) != 1 || config.Servers[0].Endpoint != b.Server().URL {
		b.Fatalf("%s has not one verdict, about %s: %s", store.BucketConfigKey, b.Server().URL, text)
	}
	flaws, err := store.ParseFlaws(config.Servers[0].Flaws)
	b.Must(err)
	return flaws
}

// refused checks that a mount is refused in one line that names the flag with which it is not.
func (s ratedServer) refused(b *harness.Bucket) {
	b.Helper()
	o := b.Latchfs(slices.Concat([]string{"mount", "--state-dir", b.Mkdir("refused")}, b.ConnectionFlags(), []string{b.Source(), b.Mkdir("mnt")})...)
	if o.Code != 1 || !oneLine(o.Err) || !s.crashes && !strings.Contains(o.Err, s.says()) {
		b.Errorf("mount: exit code %d, want 1 and one line with %q\n%s%s", o.Code, s.says(), o.Out, o.Err)
	}
}

// reads checks that a read-only mount reads what a foreign client wrote.
func (s ratedServer) reads(b *harness.Bucket, foreign harness.Endpoint) {
	b.Helper()
	text := strings.Repeat("0123456789abcde\n", 1<<16)
	b.Must(harness.NewClient(foreign, b.Name).Put(b.Timeout(time.Minute), "d/f", text))
	h := b.Mount("reader", "--read-only").Expect(regexp.QuoteMeta(s.says()))
	got, err := os.ReadFile(h.Path("d", "f"))
	if err != nil || string(got) != text {
		b.Errorf("%d bytes are read, %v, want %d", len(got), err, len(text))
	}
}

// contest holds a contest on the server, complains of what was lost and must not be, and sums up.
func (s ratedServer) contest(b *harness.Bucket, foreign harness.Endpoint, flags ...string) string {
	b.Helper()
	plan := contest.Plan{For: *serversFor, Large: 20 << 20, Foreign: harness.NewClient(foreign, b.Name), Flags: flags, Expect: []string{regexp.QuoteMeta(s.says())}, Pauses: *serversPauses}
	if s.small {
		plan.Large = 0
	}
	acknowledged, lost := 0, 0
	for _, r := range contest.Run(b, plan) {
		failed := 0
		for name, n := range r.Errors {
			failed += n
			if !slices.Contains([]string{"stale file handle", "no such file or directory", "device or resource busy"}, name) {
				b.Errorf("%s: %d times %s", r.Job, n, name)
			}
		}
		if r.Foreign == 0 || r.Host+failed == 0 {
			b.Errorf("%s: no contest: %s", r.Job, r)
		}
		acknowledged += r.Foreign
		lost += max(len(r.Lost), len(r.Blind))
		if removes := r.Job == contest.Rename || r.Job == contest.Unlink; removes && s.flaws.Has(store.DeleteConditions) {
			continue // whoever says --accept-degraded has been told
		}
		for _, line := range r.Lost {
			b.Errorf("%s: acknowledged and nowhere to be found: %q", r.Job, line)
		}
		for _, change := range r.Blind {
			b.Errorf("%s: changed what its author had not seen: %s", r.Job, change)
		}
	}
	return fmt.Sprintf("%d, %d lost", acknowledged, lost)
}
