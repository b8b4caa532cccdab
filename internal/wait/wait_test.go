package wait

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestFor(t *testing.T) {
	for _, c := range []struct {
		name          string
		d             time.Duration
		ended, wakes  bool // ctx; there is a wake
		closed, whole bool // wake; all of the time passes
	}{
		{name: "to the end", d: time.Minute, whole: true},
		{name: "with somebody who might wake it", d: time.Minute, wakes: true, whole: true},
		{name: "no time", d: 0, whole: true},
		{name: "less than no time", d: -time.Second, whole: true},
		{name: "woken", d: time.Minute, wakes: true, closed: true},
		{name: "ctx has ended", d: time.Minute, ended: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.ended {
				cancel()
			}
			var wake chan struct{}
			if c.wakes {
				wake = make(chan struct{})
			}
			if c.closed {
				close(wake)
			}
			want := time.Duration(0)
			if c.whole {
				want = max(0, c.d)
			}
			began := time.Now()
			whole := For(ctx, c.d, wake)
			if took := time.Since(began); whole != c.whole || took != want {
				t.Errorf("%s: %v after %s, want %v after %s", c.name, whole, took, c.whole, want)
			}
		})
	}
}

func TestForIsWokenOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(wake) })
		began := time.Now()
		if For(t.Context(), time.Minute, wake) || time.Since(began) != time.Second {
			t.Errorf("woke after %s, want 1s", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if For(ctx, time.Minute, nil) || time.Since(began) != time.Second {
			t.Errorf("ended after %s, want 1s", time.Since(began))
		}
	})
}

// A caller that loops while For is true ends with ctx, also if the time is over as well.
func TestForWithNothingToWaitForHeedsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if For(ctx, 0, nil) {
			t.Fatal("the time has passed, but ctx has ended")
		}
	}
}

func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		name  string
		b     Backoff
		steps []time.Duration // in milliseconds
	}{
		{"doubles", Backoff{First: 100, Last: 500}, []time.Duration{100, 200, 400, 500, 500}},
		{"grows by a quarter", Backoff{First: 100, Last: 150, Factor: 1.25}, []time.Duration{100, 125, 150, 150}},
		{"first is beyond last", Backoff{First: 100, Last: 60}, []time.Duration{60, 60}},
	} {
		least, most := make(map[int]time.Duration), make(map[int]time.Duration)
		for range 200 {
			b := c.b
			b.First, b.Last = b.First*time.Millisecond, b.Last*time.Millisecond
			for i, step := range c.steps {
				step *= time.Millisecond
				d := b.Next()
				if d < step/2 || d > step {
					t.Fatalf("%s: pause %d is %s, want between half and all of %s", c.name, i, d, step)
				}
				if least[i] == 0 || d < least[i] {
					least[i] = d
				}
				most[i] = max(most[i], d)
			}
		}
		for i, step := range c.steps {
			if step *= time.Millisecond; most[i]-least[i] < step/4 {
				t.Errorf("%s: pause %d is always between %s and %s: too little jitter", c.name, i, least[i], most[i])
			}
		}
	}
}

func TestBackoffWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Backoff{First: time.Second, Last: time.Minute}
		began := time.Now()
		for range 3 {
			if !b.Wait(t.Context(), nil) {
				t.Fatal("nothing ended the pause")
			}
		}
		if took := time.Since(began); took < 3500*time.Millisecond || took > 7*time.Second {
			t.Errorf("pauses of 1, 2 and 4 s took %s", took)
		}
		closed := make(chan struct{})
		close(closed)
		if b.Wait(t.Context(), closed) {
			t.Error("a pause that was woken counts as one that passed")
		}
	})
}
