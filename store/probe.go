package store

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/latchfs/latchfs/internal/wait"
)

// ProbePrefix is where a probe writes. What is left there is of no use to anybody once the probe
// is over: a crash, or a request that landed late, may leave something.
const ProbePrefix = ".latchfs/probe/"

// ProbeTime is longer than any probe takes: what is older below ProbePrefix was left behind.
const ProbeTime = 15 * time.Minute

// ProbeOptions say what a probe asks the server.
type ProbeOptions struct {
	// Versioned: the bucket keeps versions.
	Versioned bool
	// Races: let racers show whether a condition is judged in the same step that writes.
	Races bool
	// Only, if not 0, are the flaws that are looked for.
	Only Flaws
}

// Probed is what a probe found.
type Probed struct {
	Flaws Flaws
	// Races are those of the flaws that only racers showed: a probe without them does not see these.
	Races Flaws
	// Seen says in one sentence each what the server did wrong, in a fixed order.
	Seen []string
	// Denied are the requests, named as the methods of API, that these credentials may not make. What
	// they would have shown is not known.
	Denied []string
	// Left is how many versions, objects and uploads could not be removed again. Kept says that it was
	// Object Lock: the next probe would leave as many, as it does with the same rights if one in Denied was missing.
	Left int
	Kept bool
	// Servers are the names that the server had in its answers, sorted.
	Servers []string
}

// Probe finds what the server does otherwise than S3, of all that a mount relies on, with small
// objects of random names. A request without a clear answer shows nothing: what it belongs to is
// begun anew with another name, for 30 s. It takes some 30 requests in 5 round trips, and with
// races 130 more in 9; then it lists and removes what it wrote, also when ctx has ended meanwhile. It fails
// with ErrAccessDenied if it may not write there, with ErrNoBucket, with ErrUnavailable, and with the cause
// of ctx if the caller cancels it.
func (c *Client) Probe(ctx context.Context, o ProbeOptions) (Probed, error) {
	if o.Only == 0 {
		o.Only = ^Flaws(0)
	}
	p := &prober{c: c, o: o, prefix: ProbePrefix + time.Now().UTC().Format("20060102T150405Z-") + rand.Text() + "/",
		seen: map[sight]bool{}, denied: map[string]bool{}, made: map[string][]string{}, ordered: map[string]bool{}, uploads: map[string]string{}, servers: map[string]bool{}}
	var end context.CancelFunc
	p.attempts, end = outlive(ctx, shortCleanUp)
	defer end()
	err := p.playAll(ctx, p.scenes())
	if err == nil && o.Races {
		err = p.playAll(ctx, p.races())
	}
	p.cleanUp(ctx)
	return p.result(), cancelled(ctx, "Probe", p.prefix, err)
}

// A prober is one probe under way.
type prober struct {
	c      *Client
	o      ProbeOptions
	prefix string // of the keys of all scenes
	// attempts is the context of all attempts. One that is under way when the probe is interrupted
	// comes to its end: cut off, it could land when everything was removed.
	attempts context.Context

	mu     sync.Mutex // guards what follows
	seen   map[sight]bool
	denied map[string]bool
	// made holds the version ids of what was made of each key, in order; "" where the bucket keeps
	// no versions, and marker for a delete marker.
	made    map[string][]string
	ordered map[string]bool   // the keys in made that are known to have this order
	uploads map[string]string // open ones, and their keys
	servers map[string]bool
	left    int
	kept    bool
}

// outlive gives a context that ends some time after ctx.
func outlive(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if wait.For(longer, by, nil) {
			cancel(context.Cause(ctx))
		}
	})
	return longer, func() {
		stop()
		cancel(nil)
	}
}

// marker stands for a delete marker among version ids: no answer gives its own.
const marker = "delete marker"

// A sight is something that the server did wrong.
type sight struct {
	flaw     Flaws
	sentence string
	raced    bool // racers showed it
}

// wants tells whether one of these flaws is looked for.
func (p *prober) wants(f Flaws) bool { return p.o.Only.Has(f) }

func (p *prober) note(s sight) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.flaw &= p.o.Only; s.flaw != 0 {
		p.seen[s] = true
	}
}

// flaws are those that were seen so far, in races or otherwise.
func (p *prober) flaws(raced bool) (f Flaws) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.seen {
		if s.raced == raced {
			f |= s.flaw
		}
	}
	return f
}

// result sums up.
func (p *prober) result() Probed {
	alone, raced := p.flaws(false), p.flaws(true)
	if (alone | raced).Has(PutConditions) {
		// Where two PUTs can both win, a PUT and a DELETE can as well. DELETE is not to blame.
		raced &^= DeleteConditions
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := Probed{Flaws: alone | raced, Races: raced &^ alone, Denied: slices.Sorted(maps.Keys(p.denied)), Left: p.left, Kept: p.kept,
		Servers: slices.Sorted(maps.Keys(p.servers))}
	for s := range p.seen {
		if r.Flaws.Has(s.flaw) {
			r.Seen = append(r.Seen, s.sentence)
		}
	}
	slices.Sort(r.Seen)
	return r
}

// playAll plays scenes at the same time, and gives the error of the first that could not be played.
func (p *prober) playAll(ctx context.Context, scenes map[string]func(*scene)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	failed := make(chan error, len(scenes))
	for name, script := range scenes {
		all.Go(func() {
			if err := p.play(ctx, name, script); err != nil {
				failed <- err
				cancel()
			}
		})
	}
	all.Wait()
	close(failed)
	return <-failed
}

// maxDoubts is how often a condition that holds may be refused until it counts: who resends a
// request whose answer was lost, as boxes in the middle do, is refused what had succeeded.
const maxDoubts = 10

// play plays a scene until all its answers are clear.
func (p *prober) play(ctx context.Context, name string, script func(*scene)) error {
	began, pause, doubts := time.Now(), pauses(), 0
	for {
		s := &scene{prober: p, ctx: ctx, key: p.prefix + name + "-" + rand.Text()[:8]}
		script(s)
		switch {
		case s.unclear == nil && s.doubt == nil:
			return nil
		case s.unclear == nil && p.flaws(s.doubt.raced).Has(s.doubt.flaw):
			return nil // it was refused because something else was not
		case s.unclear == nil:
			if doubts++; doubts == maxDoubts {
				p.note(*s.doubt)
				return nil
			}
		case fateOf(s.unclear) == Refused && !errors.Is(s.unclear, ErrBusy):
			return s.unclear
		case time.Since(began) >= readPatience || !pause.Wait(ctx, nil):
			return unavailable(ctx, s.unclear)
		}
	}
}
