package file

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchfs/latchfs/lockmgr/memtable"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/faultstore"
)

// noise is what the networks do to requests: nothing, or with a chance one of what they can do.
// What is late is dead within the quiet time.
type noise struct {
	mu    sync.Mutex
	r     *rand.Rand
	one   int // in how many requests something goes wrong; 0: never
	lock  int // the same of the lock table
	texts int
}

func (n *noise) set(one, lock int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.one, n.lock = one, lock
}

func (n *noise) chance(of int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.r.IntN(of) == 0
}

// text is content that never was there.
func (n *noise) text() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.texts++
	return fmt.Sprintf("<faster %d>", n.texts)
}

func (n *noise) late() time.Duration { return time.Duration(n.r.Int64N(int64(timing.Delay))) }

func (n *noise) store(op, key string, _ int) faultstore.Fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.one == 0 || n.r.IntN(n.one) > 0 {
		return faultstore.Fault{}
	}
	change := slices.Contains(changeOps, op)
	switch n.r.IntN(9) {
	case 0:
		return faultstore.Fault{LoseReply: true}
	case 1:
		return faultstore.Fault{Late: n.late()}
	case 2:
		return faultstore.Fault{Hang: true, Late: n.late()}
	case 3:
		return faultstore.Fault{Err: &store.AttemptError{Fate: store.Unsent, Err: errDial}}
	case 4:
		if op == "Put" { // of a copy onto itself nothing tells the duplicate
			return faultstore.Fault{Duplicate: n.late()}
		}
	case 5:
		if op == "Put" {
			return faultstore.Fault{Err: &store.AttemptError{Fate: store.Refused, Err: store.ErrBusy}}
		}
	case 6:
		return faultstore.Fault{Delay: time.Duration(n.r.Int64N(int64(timing.Stall())))}
	case 7:
		return faultstore.Fault{Resend: true}
	case 8:
		if _, kind := kept(key); change && kind == "" {
			return faultstore.Fault{Err: &store.AttemptError{Fate: store.Refused, Err: store.ErrAccessDenied}}
		}
	}
	return faultstore.Fault{}
}

func (n *noise) table(string) memtable.Fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lock == 0 || n.r.IntN(n.lock) > 0 {
		return memtable.Fault{}
	}
	switch n.r.IntN(4) {
	case 0:
		return memtable.Fault{Drop: true}
	case 1:
		return memtable.Fault{LoseReply: true}
	case 2:
		return memtable.Fault{Delay: time.Duration(n.r.Int64N(int64(3 * time.Second)))}
	}
	return memtable.Fault{Duplicate: n.late()}
}

// network is what a mount's requests meet: noise, and now and then somebody else who is just a
// moment faster. He often is where nothing but looks keeps him away.
func (m *model) network(x *mount) func(op, key string, n int) faultstore.Fault {
	return func(op, key string, n int) faultstore.Fault {
		if op == "Put" && slices.Contains(sharedNames, key) && (m.noise.chance(40) || x.isCut() && m.noise.chance(2)) {
			m.overtake(key, m.noise.chance(2))
		}
		f := m.noise.store(op, key, n)
		if f != (faultstore.Fault{}) {
			m.tracef("%s: %s %s meets %+v", x.name, op, key, f)
		}
		return f
	}
}

// overtake puts something over the object of a key: other metadata, or other bytes.
func (m *model) overtake(key string, bytes bool) {
	m.mu.Lock()
	cur := m.history(key).current()
	m.mu.Unlock()
	switch {
	case bytes:
		m.put(key, m.noise.text(), "")
	case cur.there():
		m.put(key, cur.body, "overtaken")
	}
}

// trouble begins or ends something that goes wrong.
func (m *model) trouble() {
	x := pick(m.r, m.alive())
	switch n := m.r.IntN(20); {
	case n < 5:
		m.cut(x, !x.cut)
	case n < 8 && m.chance(3):
		m.trickle(x)
	case n < 8:
		m.outage(x, !x.offline)
	case n < 11:
		if m.noise.one == 0 {
			m.logf("noise")
			m.noisy = true
			m.noise.set(2+m.r.IntN(20), 5+m.r.IntN(50))
		} else {
			m.logf("silence")
			m.noisy = false
			m.noise.set(0, 0)
		}
	case n < 13:
		m.crash(x)
	case n < 15:
		m.rescue(x)
	case n < 16:
		m.refusedUnlink(x)
	default:
		m.pauseFor(x)
	}
}

// cut takes the lock table away from a mount, or gives it back.
func (m *model) cut(x *mount, off bool) {
	x.w.mu.Lock()
	x.cut = off
	x.w.mu.Unlock()
	if off {
		m.logf("%s is cut off from the lock table", x.name)
		x.table.Partition(true)
		return
	}
	m.logf("%s has the lock table again", x.name)
	x.table.SetFaults(m.noise.table)
	x.calm = time.Now()
}

// outage takes the bucket away from a mount, or gives it back.
func (m *model) outage(x *mount, off bool) {
	x.offline = off
	if off {
		m.logf("%s has no bucket", x.name)
		late := m.chance(2)
		x.b.net.Hook(func(op, _ string, _ int) faultstore.Fault {
			if late && slices.Contains(changeOps, op) {
				return faultstore.Fault{Hang: true, LoseReply: true}
			}
			return faultstore.Fault{Hang: true}
		})
		return
	}
	m.logf("%s has the bucket again", x.name)
	x.b.net.Hook(m.network(x))
	x.calm = time.Now()
}

// trickle lets one change of a mount through that has no bucket, once programs were told that
// nothing is saved: of what waits there only the oldest is then, while they go on.
func (m *model) trickle(x *mount) {
	m.open = slices.DeleteFunc(m.open, func(d *descriptor) bool { return d.closed || d.m.dead })
	i := slices.IndexFunc(m.open, func(d *descriptor) bool { return d.m == x && d.writes() && d.busy == 0 })
	if i < 0 {
		return
	}
	m.outage(x, true)
	d := m.open[i]
	for range 2 {
		m.judge()
		if m.failed {
			return
		}
		if !m.underway(x, d.Key(), "setattr") {
			m.write(d, m.text(), m.r.IntN(30))
		}
		m.flush(d, "fsync", false)
	}
	time.Sleep(x.o.FlushTimeout)
	m.logf("%s may send one change", x.name)
	var sent atomic.Bool
	x.b.net.Hook(func(op, _ string, _ int) faultstore.Fault {
		if slices.Contains(changeOps, op) && sent.Swap(true) {
			return faultstore.Fault{Hang: true}
		}
		return faultstore.Fault{}
	})
	for range 4 {
		m.judge()
		if m.failed {
			return
		}
		time.Sleep(m.upTo(2 * timing.Delay / 3))
		m.judge()
		for _, d := range m.open {
			if d.m == x && !d.closed && m.chance(2) && !m.failed {
				m.flush(d, "flush", true)
			}
		}
	}
	m.outage(x, m.chance(2))
}

// crash ends a mount; another one takes its place, and saves what it left, at once or later.
func (m *model) crash(x *mount) {
	m.judge()
	if m.failed {
		return
	}
	m.kill(x)
	m.start()
	if m.chance(2) {
		m.rescue(m.mounts[len(m.mounts)-1])
	}
}

// rescue lets a mount save what a dead one has left, if there is one.
func (m *model) rescue(x *mount) {
	for _, dead := range m.mounts {
		if dead.dead && !dead.saved && dead.recovered == nil {
			m.recover(x, dead)
			return
		}
	}
}

// pauseFor stops a mount longer than its lease, while others go on.
func (m *model) pauseFor(x *mount) {
	m.cut(x, true)
	for range 10 {
		m.judge()
		if m.failed {
			return
		}
		time.Sleep(m.upTo(2 * (timing.Lease + timing.Delay) / 10))
		if y := pick(m.r, m.alive()); y != x {
			switch m.r.IntN(4) {
			case 0:
				m.changeSome(y, pick(m.r, fileNames))
			case 1:
				m.useSome()
			case 2:
				m.openSome(y, pick(m.r, fileNames))
			}
		}
	}
	for range m.r.IntN(4) { // at the moment of its return
		key := pick(m.r, fileNames)
		switch m.r.IntN(4) {
		case 0:
			m.openSome(x, key)
		case 1:
			m.changeSome(x, key)
		case 2:
			m.renameSome(x, key, false)
		case 3:
			m.unlinkSome(x, key)
		}
	}
	if m.chance(2) {
		time.Sleep(m.upTo(time.Second))
	}
	m.cut(x, false)
}

// refusedUnlink lets the bucket refuse the removal of what somebody writes, and, as often as not,
// takes the bucket away then while that is to be saved, and the mount too.
func (m *model) refusedUnlink(x *mount) {
	m.open = slices.DeleteFunc(m.open, func(d *descriptor) bool { return d.closed || d.m.dead })
	i := slices.IndexFunc(m.open, func(d *descriptor) bool { return d.m == x && d.writes() && d.busy == 0 })
	if i < 0 || x.offline {
		return
	}
	d := m.open[i]
	m.logf("%s may not remove anything", x.name)
	x.b.net.Hook(func(op, key string, n int) faultstore.Fault {
		if op == "Delete" {
			return faultstore.Fault{Err: &store.AttemptError{Fate: store.Refused, Err: store.ErrAccessDenied}}
		}
		return m.noise.store(op, key, n)
	})
	m.unlinkSome(x, d.Key())
	m.judge()
	m.outage(x, m.chance(2))
	if !x.offline || m.failed {
		return
	}
	m.write(d, m.text(), m.r.IntN(30))
	m.flush(d, "fsync", false)
	time.Sleep(m.upTo(time.Minute))
	m.crash(x)
}

// finish ends all trouble, closes what is open, saves what the dead have left, and checks that
// nothing is missing and nothing too much.
func (m *model) finish() {
	m.logf("the end")
	m.noise.set(0, 0)
	m.noisy = false
	for _, x := range m.alive() {
		m.cut(x, false)
		m.outage(x, false)
	}
	m.rest(4)
	for _, x := range m.open {
		if !x.closed && !x.m.dead && !m.failed {
			if x.busy > 0 {
				m.errorf("a call on %s on %s has no end", x.Key(), x.m)
			}
			m.close(x)
		}
	}
	m.rest(4)
	if !m.failed {
		for _, x := range m.alive() {
			m.empty(x)
		}
	}
	for _, x := range m.alive() {
		m.unmount(x)
	}
	last := m.newMount()
	for _, dead := range m.mounts {
		if dead.dead && !dead.saved && dead.recovered == nil && !m.failed {
			m.recover(last, dead)
		}
	}
	m.rest(5)
	m.unmount(last)
	m.nothingLeft()
}

// rest lets so many minutes pass.
func (m *model) rest(minutes int) {
	for range minutes {
		if m.failed {
			return
		}
		m.judge()
		time.Sleep(time.Minute)
	}
	if !m.failed {
		m.judge()
	}
}
