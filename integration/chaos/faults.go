package chaos

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// A member is a host and what happens to it.
type member struct {
	*harness.Host
	s3, locks *harness.Proxy // locks is nil where the lock table is a bucket
	r         *rand.Rand
	note      func(format string, args ...any)

	fault string // that it has now; "": none
	until time.Time

	mu            sync.Mutex
	rough         *rand.Rand // draws the fate of requests
	onS3, onLocks weather
}

// A weather is what happens to all requests of a kind.
type weather int

const (
	calm   weather = iota
	cut            // closed at once
	silent         // no answer
	rough          // answers are lost, late and doubled, requests late and refused
	patchy         // more requests are refused than answered
	beats          // heartbeats are answered, requests for locks are not
)

// fate draws what happens to a request.
func (m *member) fate(lockServer bool) func(*http.Request) harness.Fault {
	return func(r *http.Request) harness.Fault {
		m.mu.Lock()
		defer m.mu.Unlock()
		w := m.onS3
		if lockServer || strings.Contains(r.URL.Path, "-locks/") {
			w = m.onLocks
		}
		n := m.rough.IntN(100)
		switch {
		case w == cut, w == patchy && n < 60, w == rough && n < 3, w == beats && forLock(r, lockServer):
			return harness.Refuse
		case w == silent:
			return harness.Hang
		case w != rough:
		case n < 10:
			return harness.LoseReply
		case n < 14:
			return harness.Late
		case n < 17 && !lockServer:
			return harness.Busy
		case n < 22 && harness.Mutation(r) && !lockServer:
			return harness.Straggle
		case n < 27 && harness.Mutation(r) && !lockServer:
			return harness.Twice
		}
		return harness.Pass
	}
}

// forLock tells whether a request to the lock table is about a lock: the items of DynamoDB and
// the objects of a bucket have names of their own (LOCKS P1, P8).
func forLock(r *http.Request, lockServer bool) bool {
	if !lockServer {
		return strings.Contains(r.URL.Path, "/v1/lock/")
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil && bytes.Contains(body, []byte(`"L#`))
}

func (m *member) weather(onS3, onLocks weather) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.onS3, m.onLocks = onS3, onLocks
}

// step ends what has lasted long enough, and begins something else if it may.
func (m *member) step(may bool) {
	if time.Now().Before(m.until) || m.fault == "" && !may {
		return
	}
	if m.fault != "" {
		was := m.fault
		m.end()
		if (was == "no locks" || was == "stopped") && m.r.IntN(2) == 0 {
			m.begin("beats alone", 1300*time.Millisecond) // it learns of its loss and gets no new lease
			return
		}
		m.until = time.Now().Add(time.Duration(500+m.r.IntN(2500)) * time.Millisecond)
		return
	}
	// Long enough that another host may take its locks over and work under them.
	lost := m.Times.Lease + m.Times.Delay + time.Duration(500+m.r.IntN(2000))*time.Millisecond
	some := time.Duration(300+m.r.IntN(2500)) * time.Millisecond
	switch m.r.IntN(12) {
	case 0, 1, 2:
		m.begin("stopped", lost)
	case 3:
		m.begin("stopped", some/10)
	case 4, 5, 6:
		m.begin("no locks", lost+time.Second)
	case 7, 8:
		m.begin("killed", some/3)
	case 9:
		m.begin(pick(m.r, "no store", "few locks"), some)
	case 10:
		m.begin("silent store", some)
	default:
		m.begin("rough", 2*some)
	}
}

func (m *member) begin(fault string, d time.Duration) {
	m.note("%s: %s for %s", m.Hostname, fault, d.Round(time.Millisecond))
	switch m.fault = fault; fault {
	case "stopped":
		m.Signal(unix.SIGSTOP)
	case "killed":
		m.Kill()
	case "no locks":
		m.weather(calm, cut)
	case "beats alone":
		m.weather(calm, beats)
	case "few locks":
		m.weather(calm, patchy)
	case "no store":
		m.weather(cut, calm)
	case "silent store":
		m.weather(silent, calm)
	case "rough":
		m.weather(rough, rough)
	}
	m.until = time.Now().Add(d)
}

// end ends what the host has.
func (m *member) end() {
	switch m.fault {
	case "":
		return
	case "stopped":
		m.Signal(unix.SIGCONT)
	case "killed":
		m.Mount()
	default:
		m.weather(calm, calm)
	}
	m.note("%s: no longer %s", m.Hostname, m.fault)
	m.fault = ""
}

// members makes the hosts of a run and mounts the bucket on them.
func members(b *harness.Bucket, p Plan, note func(string, ...any)) (all []*member) {
	for i, name := range p.Hosts {
		m := &member{r: rand.New(rand.NewPCG(p.Seed, uint64(100+i))), rough: rand.New(rand.NewPCG(p.Seed, uint64(200+i))), note: note}
		m.s3 = b.Proxy()
		m.s3.Surviving = true
		m.s3.Inject(m.fate(false))
		through := b.Through(m.s3.URL)
		if b.Lock == harness.OnDynamoDB {
			m.locks = b.LockProxy()
			m.locks.Inject(m.fate(true))
			through = through.LocksThrough(m.locks.URL)
		}
		// Its log may tell of every fault, but not of a panic.
		m.Host = through.Mount(name, "--lock-timeout", "3s").Expect("level=")
		m.until = time.Now().Add(time.Duration(m.r.IntN(3000)) * time.Millisecond)
		all = append(all, m)
		b.Cleanup(func() { // where the run has failed: a stopped process ends nothing
			if m.Running() {
				m.Signal(unix.SIGCONT)
			}
			m.weather(calm, calm)
		})
	}
	return all
}

func (m *member) startWorkers(p Plan, place int, began int64) (all []*harness.Process) {
	for i := range p.Workers {
		cmd := m.ProgramCommand("chaos", m.Mountpoint, m.Hostname, fmt.Sprint(i), fmt.Sprint(len(p.Hosts)*p.Workers), fmt.Sprint(place+i),
			fmt.Sprint(p.Seed), fmt.Sprint(began), p.For.String())
		// It makes its calls itself: Go interrupts its own threads.
		cmd.Env = append(cmd.Env, "GODEBUG=asyncpreemptoff=1")
		all = append(all, m.Start(cmd))
	}
	return all
}
