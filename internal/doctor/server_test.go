package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// provedLines are the lines about a server, by check.
func provedLines(t *testing.T, s prover, w world, versioned bool, of store.Flaws, kept store.Flaws) map[string]Line {
	t.Helper()
	s.server = "the server"
	o := store.ProbeOptions{Versioned: versioned, Races: true}
	if of == tableFlaws {
		o.Only = of
	}
	all := map[string]Line{}
	for _, l := range s.prove(t.Context(), "server", w.c, kept, o).lines(of, "latchfs init --rebind x") {
		all[l.Check] = l
	}
	return all
}

// Each flaw of a server is one line that is not ok, in the words of the mount that meets it; all
// other lines are ok, and nothing is left.
func TestServerFlaws(t *testing.T) {
	for flaw, c := range map[store.Flaws]struct {
		status Status
		says   string
	}{
		store.PutConditions:      {Fail, "--read-only"},
		store.CompleteConditions: {Warn, "EFBIG"},
		store.DeleteConditions:   {Fail, "--accept-degraded"},
		store.CopyConditions:     {Warn, "copies are made by other requests"},
		store.PartSource:         {Warn, "nothing has to be done"},
		store.AbortHarms:         {Fail, "--read-only"},
		store.WrongReads:         {Fail, "--read-only"},
		store.WrongHistory:       {Fail, "--read-only"},
		0:                        {},
	} {
		t.Run(flaw.String(), func(t *testing.T) {
			w := newWorld(memstore.Options{Versioned: true, Flaws: flaw})
			lines := provedLines(t, prover{}, w, true, ^store.Flaws(0), 0)
			if len(lines) != len(served)+1 {
				t.Errorf("%d lines", len(lines))
			}
			for check, l := range lines {
				if check == "server-"+flaw.String() {
					wants(t, l, check, c.status, c.says)
				} else if l.Status != OK {
					t.Errorf("%s", l)
				}
			}
			if keys := w.b.Keys(); len(keys) > 0 {
				t.Errorf("left %q", keys)
			}
		})
	}
}

// A server that ignores conditions gives one lock to two hosts.
func TestServerFlawsOfLockTable(t *testing.T) {
	lines := provedLines(t, prover{}, newWorld(memstore.Options{Flaws: store.PutConditions | store.CopyConditions}), false, tableFlaws, 0)
	wants(t, lines["server-put-conditions"], "server-put-conditions", Fail, "two hosts could hold one lock")
	lines = provedLines(t, prover{}, newWorld(memstore.Options{Flaws: store.DeleteConditions}), false, tableFlaws, 0)
	wants(t, lines["server-delete-conditions"], "server-delete-conditions", Warn, "records of locks")
	if len(lines) != 3 {
		t.Errorf("%d lines", len(lines))
	}
}

// Where nothing may be written, what is known counts; where nothing is known that is said, and
// nothing is claimed.
func TestServerNotTried(t *testing.T) {
	w := newWorld(memstore.Options{Versioned: true})
	old := store.Verdict{Date: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	for _, c := range []struct {
		s     prover
		lines int
		about Status
		says  string
	}{
		{prover{unsafe: "--no-probe", asked: true}, 1, Warn, "was not tried: --no-probe"},
		{prover{unsafe: "--no-probe", asked: true, verdict: old, recalled: true}, 9, OK, "was tried at 2026-11-01T00:00:00Z, and not now: --no-probe"},
		{prover{unsafe: "it stays", verdict: old, recalled: true}, 9, Warn, "not now: it stays"},
	} {
		lines := provedLines(t, c.s, w, true, ^store.Flaws(0), store.CopyConditions)
		wants(t, lines["server"], "server", c.about, c.says)
		if len(lines) != c.lines || c.lines > 1 && lines["server-copy-conditions"].Status != Warn {
			t.Errorf("%+v", lines)
		}
	}
	if w.b.Count("Put") > 0 {
		t.Error("something was written")
	}
}

// What may not be written is said with the cause; a part that may not be asked is not known, which
// is no "ok".
func TestServerDenied(t *testing.T) {
	w := newWorld(memstore.Options{Versioned: true})
	w.f.On("Put").Fail(store.Refused, store.ErrAccessDenied)
	lines := provedLines(t, prover{}, w, true, ^store.Flaws(0), 0)
	wants(t, lines["server"], "server", Warn, "access denied")
	if len(lines) != 1 {
		t.Errorf("%+v", lines)
	}
	w = newWorld(memstore.Options{Versioned: true})
	w.f.On("Copy").Fail(store.Refused, store.ErrAccessDenied)
	lines = provedLines(t, prover{}, w, true, ^store.Flaws(0), 0)
	wants(t, lines["server-copy-conditions"], "server-copy-conditions", Warn, "not known")
	w = newWorld(memstore.Options{Versioned: true})
	w.f.On("DeleteVersion").Fail(store.Refused, store.ErrAccessDenied)
	lines = provedLines(t, prover{}, w, true, ^store.Flaws(0), 0)
	wants(t, lines["server"], "server", Warn, "could not be removed again")
}

// A probe may write only where what it writes can be removed.
func TestProbeIsSafe(t *testing.T) {
	fine := ok("object-lock", "none")
	granted := []Line{{Action: "s3:DeleteObjectVersion", Status: OK}}
	for says, p := range map[string]prover{
		"--no-probe":              Options{NoProbe: true}.prover(fine, granted),
		"object-lock":             Options{}.prover(Line{Status: Warn}, granted),
		"s3:DeleteObjectVersion":  Options{}.prover(fine, []Line{{Action: "s3:DeleteObjectVersion", Status: Warn}}),
		"s3:AbortMultipartUpload": Options{}.prover(fine, append(granted, Line{Action: "s3:AbortMultipartUpload", Status: Fail})),
		"":                        Options{}.prover(fine, granted),
	} {
		if (p.unsafe == "") != (says == "") || !strings.Contains(p.unsafe, says) {
			t.Errorf("%q, want %q", p.unsafe, says)
		}
	}
}
