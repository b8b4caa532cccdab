package file

import (
	"fmt"

	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/store"
)

// A core is what a File believes about its name, its lease, the version that it grew from
// and what is not in the bucket yet. Nothing else in the package may believe any of it. Its
// methods are all the events of a file's life. They do no I/O and take no lock: they change
// the core and return what the caller has to do once it holds no mutex. An event that cannot
// happen in the present state is a bug of this package, and going on could lose data: it
// panics. File.mu guards the core.
type core struct {
	// key is the name, or the last one that the file had.
	key     string
	state   state
	content content
	// writers counts the handles that may write and the operations that act as one.
	writers int
}

// A state says how a file stands to its name. Each state carries what is true only in it.
type state interface {
	fmt.Stringer
	// detached tells that the name is not this file's any more, for good.
	detached() bool
}

// idle: nobody writes the file and nothing is to be saved. The bucket is the truth, and
// handles read the versions that they have pinned.
type idle struct{}

// live: a process has the file open for write, or something is to be saved. This host may be
// ahead of the bucket, and its readers follow it.
type live struct {
	// hold is our share in the lease, which may be lost without our knowing.
	hold *lease.Hold
	// written: the content changed since the file became live, so that handles that read
	// its first base follow it.
	written bool
	// unproved are the versions that the file grew from since its lease was proved valid last;
	// empty while it is.
	unproved []store.Info
	// above is what was above the name when a file that was not there was made.
	above parent
	// ended: the table has ended and its spool may be removed, so nothing more is accepted.
	ended bool
}

// conflicted: somebody else's version is under the name; what was accepted here is in a
// conflict file, or on its way there.
type conflicted struct{ reason error }

// unlinked: the name was removed or given to another file; nothing will be committed.
type unlinked struct{}

// parked: the bucket refuses to take what was to be saved. kept: a close or fsync answers for
// it, and all of it stays in the spool.
type parked struct {
	reason error
	kept   bool
}

func (idle) String() string       { return "idle" }
func (*live) String() string      { return "live" }
func (conflicted) String() string { return "conflicted" }
func (unlinked) String() string   { return "unlinked" }
func (parked) String() string     { return "parked" }

func (idle) detached() bool       { return false }
func (*live) detached() bool      { return false }
func (conflicted) detached() bool { return true }
func (unlinked) detached() bool   { return true }
func (parked) detached() bool     { return true }

// impossible panics for an event that the present state does not allow.
func (c *core) impossible(event string) {
	panic(fmt.Sprintf("file: %s of %q in state %v", event, c.key, c.state))
}

// live returns the live state, nil in any other.
func (c *core) live() *live {
	l, _ := c.state.(*live)
	return l
}

// followed tells whether the file, not the bucket, is the truth on this host: it is live and
// its lease is proved valid. Without that proof another host may have written since, so
// whoever looks the name up or opens it has to ask the bucket (SEMANTICS G2).
func (c *core) followed() bool {
	l := c.live()
	return l != nil && l.hold.Check() == nil
}

// exists tells whether a live file is there for those who look.
func (c *core) exists() bool {
	return c.content.base.ETag != "" || c.content.pending()
}

// onlyHere tells whether the file was made here and is not in the bucket yet.
func (c *core) onlyHere() bool {
	return c.live() != nil && c.content.base.ETag == "" && c.content.pending()
}

// written tells whether the content changed since the file became live.
func (c *core) written() bool {
	switch s := c.state.(type) {
	case *live:
		return s.written
	case idle:
		return false
	}
	return true // a detached file is no base of another life
}

// pending tells that something has yet to reach the bucket.
func (c *core) pending() bool { return c.live() != nil && c.content.pending() }

// named fails with ErrStale if the key is not the name of this file any more: it was renamed
// or detached while the caller waited.
func (c *core) named(key string) error {
	if c.key != key || c.state.detached() {
		return ErrStale
	}
	return nil
}

// reason is why the file was detached by a conflict or parked, nil otherwise.
func (c *core) reason() error {
	switch s := c.state.(type) {
	case conflicted:
		return s.reason
	case parked:
		return s.reason
	}
	return nil
}

// kept tells whether what the bucket refused stays in the spool, so that a recovery saves it.
func (c *core) kept() bool {
	s, ok := c.state.(parked)
	return ok && s.kept
}

// refuses is why the file takes no changes any more, nil if it does.
func (c *core) refuses() error {
	if err := c.reason(); err != nil {
		return err
	}
	if l := c.live(); l != nil && l.ended {
		return fmt.Errorf("writing %q: %w", c.key, ErrClosed)
	}
	return nil
}

// begin makes an idle file live on the version that was found under its lease.
func (c *core) begin(hold *lease.Hold, found store.Info, attr Attr, above parent) {
	if _, ok := c.state.(idle); !ok {
		c.impossible("begin")
	}
	c.state = &live{hold: hold, above: above}
	c.content.base, c.content.attr = found, attr
	c.content.attr.Base = found.Base()
}

// renew takes another lease in place of one that was lost: the caller has looked, and the
// base is still what is under the name. It returns the old share, to be released.
func (c *core) renew(hold *lease.Hold) (old *lease.Hold) {
	l := c.live()
	if l == nil {
		c.impossible("renew")
	}
	old, l.hold, l.unproved = l.hold, hold, nil
	return old
}

// unleased notes that an attempt without a proved lease is about to be made, and returns the
// versions that the file grew from since the lease was proved valid last.
func (c *core) unleased() []store.Info {
	l := c.live()
	if l == nil {
		c.impossible("attempt without a lease")
	}
	l.unproved = append(l.unproved, c.content.base)
	return l.unproved
}

// proved notes that the lease is proved valid.
func (c *core) proved() {
	if l := c.live(); l != nil {
		l.unproved = nil
	}
}

// changed notes a change of the content or the attributes.
func (c *core) changed(what changes) {
	switch s := c.state.(type) {
	case *live:
		s.written = s.written || what.bytes
	case unlinked:
	default:
		c.impossible("change")
	}
	c.content.changed(what)
}

// seal fixes what the file holds now as something that was asked to be saved. The commit
// takes its turn after those that were sealed before it.
func (c *core) seal(m *commit) {
	if c.live() == nil || !c.content.tail.any {
		c.impossible("seal")
	}
	c.content.seal(m)
}

// landed makes the version of the oldest seal the base. It is not well if that version has
// replaced another one than the base: what it contains does not count as saved then, so that
// whoever wrote it is told at each close.
func (c *core) landed(m *commit, info store.Info, well bool) {
	if c.live() == nil || c.content.head() != m {
		c.impossible("landing")
	}
	c.content.landed(m, info, well)
}

// end makes a live file idle that nobody writes and that has nothing to save; false if it is
// not such a file. It returns the share in the lease, to be released.
func (c *core) end() (hold *lease.Hold, ok bool) {
	l := c.live()
	if l == nil || c.writers > 0 || c.content.pending() {
		return nil, false
	}
	c.state = idle{}
	return l.hold, true
}

// conflict takes the name away because somebody else's version is under it. It returns the
// share in the lease, to be released, and whether the content that is not in the bucket has
// bytes that are worth a conflict file.
func (c *core) conflict(reason error) (hold *lease.Hold, keep bool) {
	l := c.live()
	if l == nil {
		c.impossible("conflict")
	}
	c.state = conflicted{reason}
	return l.hold, c.content.unsavedBytes()
}

// explain replaces the reason of a conflict once more is known of it.
func (c *core) explain(reason error) {
	if _, ok := c.state.(conflicted); !ok {
		c.impossible("explanation")
	}
	c.state = conflicted{reason}
}

// park takes the name away because the bucket refuses for good. It returns the share in the
// lease, to be released, and whether a close or fsync answers for what was refused: then the
// bytes stay in the spool.
func (c *core) park(reason error) (hold *lease.Hold, owed bool) {
	l := c.live()
	if l == nil || c.content.head() == nil {
		c.impossible("parking")
	}
	owed = c.content.owed()
	c.state = parked{reason, owed}
	return l.hold, owed
}

// unlink takes the name away because it is gone or belongs to another file. It returns the
// share in the lease, to be released; nil if there is none.
func (c *core) unlink() (hold *lease.Hold) {
	switch s := c.state.(type) {
	case *live:
		hold = s.hold
	case idle, unlinked:
	default:
		return nil // the name was lost before, and the reason stays
	}
	c.state = unlinked{}
	c.content.drop()
	return hold
}

// moved gives the file another name, under which its content is the version info: the copy
// was its own commit. It returns the share in the lease of the old name, to be released, and
// whether it took over the new one; an idle file has neither.
func (c *core) moved(to string, info store.Info, hold *lease.Hold) (old *lease.Hold, took bool) {
	if c.state.detached() {
		c.impossible("move")
	}
	c.key = to
	l := c.live()
	if l == nil {
		return nil, false
	}
	c.content.rebase(info)
	old, l.hold = l.hold, hold
	return old, true
}
