package integration

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
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
	keys  map[string][]recordedVersion // of each key its versions, oldest first
	times []recordedTime
}

type pastState struct {
	mode    uint32
	stated  bool // the mode, by the object; else a mount gives one to what other tools have put
	content string
}

// A recordedVersion is a version or a deletion: what latchfs log has to say of it. A deletion has no
// content and no mode, and does not say who made it.
type recordedVersion struct {
	what, host, from string
	pastState
}

// A recordedTime is what there was at the end of a second.
type recordedTime struct {
	at    time.Time
	state map[string]pastState
}

// change makes a change up: a shell command for a host, in its mount, or "" where a foreign client puts
// or removes the key.
func (h *recorded) change(n int, host string) (shell, key, content string) {
	names := []string{"a", "b", "c", "d", "e"}
	key = names[h.r.IntN(len(names))]
	was, there := h.now[key]
	deleted := func() {
		h.keys[key] = append(h.keys[key], recordedVersion{what: "delete"})
		delete(h.now, key)
	}
	version := func(key string, v recordedVersion) {
		h.keys[key] = append(h.keys[key], v)
		h.now[key] = v.pastState
	}
	switch kind := h.r.IntN(10); {
	case there && kind == 0:
		deleted()
		return "rm " + key, key, ""
	case there && kind == 1:
		deleted()
		return "", key, ""
	case there && kind <= 3:
		was.mode = 0o600 + (was.mode+uint32(1+h.r.IntN(7)))%8
		was.stated = true
		version(key, recordedVersion{"meta", host, "", was})
		return fmt.Sprintf("chmod %o %s", was.mode, key), key, ""
	case there && kind <= 5:
		to := names[h.r.IntN(len(names))]
		if to == key {
			return h.change(n, host)
		}
		deleted()
		version(to, recordedVersion{"rename", host, key, was})
		return "mv -f " + key + " " + to, key, ""
	case kind <= 6:
		content = fmt.Sprintf("foreign %d", n)
		version(key, recordedVersion{"foreign", "", "", pastState{0o644, false, content}})
		return "", key, content
	}
	if !there {
		was.mode, was.stated = 0o644, true
	}
	was.content = fmt.Sprintf("host %d", n)
	version(key, recordedVersion{"write", host, "", was})
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
// recorded: the list of versions, latchfs log, the trees of the past on both hosts at the end of each
// second, and mounts as of some of them; at last everything is restored to each of them.
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
	h := &recorded{r: rand.New(rand.NewPCG(seed, 0)), now: map[string]pastState{}, keys: map[string][]recordedVersion{}}
	for n := 0; len(h.times) < seconds; n++ {
		host := hosts[h.r.IntN(2)]
		switch shell, key, content := h.change(n, host.Hostname); {
		case shell != "":
			e.Sh(host.Mountpoint, shell)
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
		checkVersions(b, key, want)
		checkLog(hosts[changes%2], key, b, want)
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
	for i, at := range h.times {
		restoreTime(b, hosts[i%2], at, i)
	}
}

// checkVersions compares the list of versions of a key, and their contents, with what was recorded.
func checkVersions(b *harness.Bucket, key string, want []recordedVersion) {
	b.Helper()
	history, err := b.S3.History(b.Timeout(time.Minute), key)
	b.Must(err)
	var got, wanted []string
	for _, v := range history {
		if v.Deleted {
			got = append(got, "deleted")
			continue
		}
		content, err := b.S3.Get(b.Timeout(time.Minute), key, v.ID)
		b.Must(err)
		got = append(got, string(content))
	}
	for _, v := range want {
		wanted = append(wanted, cmp.Or(v.content, "deleted"))
	}
	if !slices.Equal(got, wanted) {
		b.Errorf("the versions of %s: %q\nwant %q", key, got, wanted)
	}
}

// checkLog compares what latchfs log says of a key with what was recorded: each version and deletion,
// newest first, under the id that the bucket has for it.
func checkLog(h *harness.Host, key string, b *harness.Bucket, want []recordedVersion) {
	h.Helper()
	history, err := b.S3.History(h.Timeout(time.Minute), key)
	h.Must(err)
	var got, wanted []string
	for line := range strings.Lines(runs(h, 0, "log", "--json", h.Path(key)).Out) {
		var l logged
		h.Must(json.Unmarshal([]byte(line), &l))
		got = append(got, fmt.Sprintf("%s %d %s %s host=%s from=%s current=%t", l.VersionID, l.Size, l.Mode, l.What, l.Host, l.From, l.Current))
	}
	slices.Reverse(got)
	for i, v := range want {
		id, mode := "", ""
		if i < len(history) {
			id = history[i].ID
		}
		if v.stated {
			mode = fmt.Sprintf("%06o", 0o100000|v.mode)
		}
		wanted = append(wanted, fmt.Sprintf("%s %d %s %s host=%s from=%s current=%t", id, len(v.content), mode, v.what, v.host, v.from, i == len(want)-1))
	}
	if !slices.Equal(got, wanted) {
		h.Errorf("latchfs log of %s:\n%s\nwant\n%s", key, strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	}
}

// restoreTime brings everything back to a time, byte for byte and mode for mode: by turns into a bucket
// in which all was deleted, and over what is there, by a path in a mount and by the bucket's name.
func restoreTime(b *harness.Bucket, h *harness.Host, at recordedTime, n int) {
	h.Helper()
	if len(at.state) == 0 {
		return // restore refuses a time of which nothing is known
	}
	if n%2 == 0 {
		h.Sh(h.Mountpoint, "rm -f *")
	}
	target, flags := h.Mountpoint+"/@"+when.Path(at.at), []string(nil)
	if n%4 > 1 {
		target, flags = b.Source()+"/@"+when.Path(at.at), b.ConnectionFlags()
	}
	runs(h, 0, append(append([]string{"restore", "-r"}, flags...), "--delete", target)...)
	got := recordedTime{state: map[string]pastState{}}
	for _, key := range b.KeysBelow("") {
		info, err := os.Stat(h.Path(key))
		h.Must(err)
		got.state[key] = pastState{mode: uint32(info.Mode().Perm()), content: b.Content(key)}
	}
	if got.String() != at.String() {
		h.Errorf("restored to %v:\n%swant\n%s", at.at, got, at)
	}
	if seen := shown(h, "."); seen != at.String() {
		h.Errorf("restored to %v, the mount shows\n%swant\n%s", at.at, seen, at)
	}
}
