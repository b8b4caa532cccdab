package integration

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
	"github.com/latchfs/latchfs/internal/when"
)

// A recorded history is what was done to a few files, one change after the other.
type recorded struct {
	r     *rand.Rand
	now   map[string]pastState
	keys  map[string][]string // of each key its versions, oldest first: the content, or "deleted"
	times []recordedTime
}

type pastState struct {
	mode    uint32
	content string
}

// A recordedTime is what there was at the end of a second.
type recordedTime struct {
	at    time.Time
	state map[string]pastState
}

// change makes a change up: a shell command for a host, in its mount, or "" where a foreign client puts
// or removes the key.
func (h *recorded) change(n int) (shell, key, content string) {
	names := []string{"a", "b", "c", "d", "e"}
	key = names[h.r.IntN(len(names))]
	was, there := h.now[key]
	version := func(key, what string) { h.keys[key] = append(h.keys[key], what) }
	switch kind := h.r.IntN(10); {
	case there && kind == 0:
		version(key, "deleted")
		delete(h.now, key)
		return "rm " + key, key, ""
	case there && kind == 1:
		version(key, "deleted")
		delete(h.now, key)
		return "", key, ""
	case there && kind <= 3:
		was.mode = 0o600 + (was.mode+uint32(1+h.r.IntN(7)))%8
		version(key, was.content)
		h.now[key] = was
		return fmt.Sprintf("chmod %o %s", was.mode, key), key, ""
	case there && kind <= 5:
		to := names[h.r.IntN(len(names))]
		if to == key {
			return h.change(n)
		}
		version(key, "deleted")
		version(to, was.content)
		delete(h.now, key)
		h.now[to] = was
		return "mv -f " + key + " " + to, key, ""
	case kind <= 6:
		content = fmt.Sprintf("foreign %d", n)
		version(key, content)
		h.now[key] = pastState{0o644, content}
		return "", key, content
	}
	if !there {
		was.mode = 0o644
	}
	was.content = fmt.Sprintf("host %d", n)
	version(key, was.content)
	h.now[key] = was
	return "printf '" + was.content + "' > " + key, key, ""
}

// shown is what a directory shows, by names: mode and content.
func shown(h *harness.Host, dir string) string {
	h.Helper()
	return h.Sh(h.Mountpoint, "cd "+dir+` && for f in *; do [ ! -e "$f" ] || printf '%s %s %s\n' "$f" "$(stat -c %a "$f")" "$(cat "$f")"; done`)
}

func (s recordedTime) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.state)) {
		fmt.Fprintf(&b, "%s %o %s\n", name, s.state[name].mode, s.state[name].content)
	}
	return b.String()
}

// Two hosts and a foreign client change, remove and rename five files; every view agrees with what was
// recorded: the list of versions, the trees of the past on both hosts at the end of each second, and
// mounts as of some of them.
// SEMANTICS G6
func TestRandomHistory(t *testing.T) {
	t.Parallel()
	randomHistory(t, 5)
}

// The same with more than 500 changes, at 50 times.
// SEMANTICS G6
func TestSoakRandomHistory(t *testing.T) {
	t.Parallel()
	randomHistory(t, 50)
}

// historySeed chooses the changes of a run again; which of them fall into one second it does not.
var historySeed = flag.Uint64("history.seed", 0, "seed of the random history, 0: another one each time")

// randomHistory makes changes until there are so many seconds with some, and compares.
func randomHistory(t *testing.T, seconds int) {
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	hosts := []*harness.Host{b.Mount("one", "--metadata-ttl", "0"), b.Mount("two", "--metadata-ttl", "0")}
	seed := cmp.Or(*historySeed, uint64(time.Now().UnixNano()))
	t.Logf("seed %d", seed)
	h := &recorded{r: rand.New(rand.NewPCG(seed, 0)), now: map[string]pastState{}, keys: map[string][]string{}}
	for n := 0; len(h.times) < seconds; n++ {
		switch shell, key, content := h.change(n); {
		case shell != "":
			e.Sh(hosts[h.r.IntN(2)].Mountpoint, shell)
		case content != "":
			e.Must(b.S3.Put(e.Timeout(time.Minute), key, content))
		default:
			e.Must(b.S3.Delete(e.Timeout(time.Minute), key))
		}
		// A change is never in two seconds.
		if now := time.Now(); now.Sub(now.Truncate(time.Second)) > 600*time.Millisecond {
			h.times = append(h.times, recordedTime{nextSecond(), maps.Clone(h.now)})
		}
	}
	changes := 0
	for key, want := range h.keys {
		history, err := b.S3.History(e.Timeout(time.Minute), key)
		e.Must(err)
		var got []string
		for _, v := range history {
			if v.Deleted {
				got = append(got, "deleted")
				continue
			}
			content, err := b.S3.Get(e.Timeout(time.Minute), key, v.ID)
			e.Must(err)
			got = append(got, string(content))
		}
		if !slices.Equal(got, want) {
			t.Errorf("the versions of %s: %q\nwant %q", key, got, want)
		}
		changes += len(want)
	}
	t.Logf("%d versions", changes)
	if changes < 3*seconds {
		t.Errorf("%d changes in %d seconds: too few to tell anything", changes, seconds)
	}
	h.r.Shuffle(len(h.times), func(i, j int) { h.times[i], h.times[j] = h.times[j], h.times[i] })
	for i, at := range h.times {
		for _, host := range hosts {
			if got := shown(host, ".versions/@/"+when.Path(at.at)); got != at.String() {
				t.Errorf("at %v:\n%swant\n%s", at.at, got, at)
			}
		}
		if i%10 == 0 {
			asOf := b.Mount(fmt.Sprint("as-of-", i), "--as-of", when.Path(at.at))
			if got := shown(asOf, "."); got != at.String() {
				t.Errorf("as of %v:\n%swant\n%s", at.at, got, at)
			}
		}
	}
}
