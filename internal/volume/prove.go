package volume

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/latchfs/latchfs/store"
)

// keepTime bounds the writing of a verdict, for which a mount waits. Without it more is asked the next
// time.
const keepTime = 10 * time.Second

// A Proving is how a server is proved.
type Proving struct {
	Versioned bool // the bucket keeps versions
	// Degraded: the user accepts a server that allows no more than Degraded.
	Degraded bool
	// Say is told in one line each what the user should know; warn says that it is to his harm.
	Say func(warn bool, line string)
}

// Prove proves what a read-write mount relies on, sets what the server does wrong in Bucket, and
// Verdict. On AWS, and where a probe may not write or cannot remove what it wrote, it goes by the verdict in
// bucket.json. It fails in one line if the server does not allow such a mount.
func (v *Volume) Prove(ctx context.Context, p Proving) error {
	header := v.Bucket.Server()
	subjects, err := v.subjects(ctx, p.Versioned)
	if err != nil {
		return err
	}
	lessons := v.each(subjects, func(s subject) lesson { return v.learn(ctx, s, header) })
	if err := v.conclude(ctx, subjects, lessons, header, p); err != nil {
		return err
	}
	return v.allow(p)
}

// each makes a lesson of each subject, at the same time.
func (v *Volume) each(subjects []subject, learn func(subject) lesson) []lesson {
	lessons := make([]lesson, len(subjects))
	var all sync.WaitGroup
	for i, s := range subjects {
		all.Go(func() { lessons[i] = learn(s) })
	}
	all.Wait()
	return lessons
}

// conclude sets what is known now, says what the user should know of it, and keeps what is new. header
// is the name that the server had said before.
func (v *Volume) conclude(ctx context.Context, subjects []subject, lessons []lesson, header string, p Proving) error {
	var keep []store.Verdict
	for i, s := range subjects {
		l := lessons[i]
		proved, err := v.proved(s, l, p)
		if err != nil {
			return err
		}
		now, whole := l.known, false
		if proved {
			v.tellRest(s, l.found, p)
			now, whole = s.verdict(l), !s.inPart(l.found)
			now.Endpoint, now.Server, now.LockTable, now.Date = v.at.name(), header, s.table, time.Now()
		}
		if s.files() {
			v.Verdict = now
		} else {
			v.lockVerdict, v.lockProved = now, l.recalled || whole
		}
		// A verdict in part would be the whole one for whoever reads it.
		if whole && !now.Same(l.known) {
			keep = append(keep, now)
		}
	}
	if v.severalServers(subjects, lessons, header, p) || len(keep) == 0 {
		return nil
	}
	keeping, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	if err := v.Bucket.KeepVerdicts(keeping, keep...); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.Say(false, fmt.Sprintf("what was found of %s is not kept, so that the next mount asks it more than it had to: %v", v.server(), err))
	}
	return nil
}

// severalServers tells whether the server had another name in an answer to a probe than before: several servers
// stand behind the endpoint, or it was exchanged meanwhile. Then nobody knows which one has shown what, so that nothing
// is kept, and what is known of the others counts as well.
func (v *Volume) severalServers(subjects []subject, lessons []lesson, header string, p Proving) (several bool) {
	for i, s := range subjects {
		for _, name := range lessons[i].found.Servers {
			if name == header {
				continue
			}
			other, _ := v.recall(s, name)
			if s.files() {
				v.Verdict.Flaws |= other.Flaws
			} else {
				v.lockVerdict.Flaws |= other.Flaws
			}
			if !several {
				p.Say(false, fmt.Sprintf("the S3 server at %s says that it is %q, and %q: what was found counts for this time alone", v.at.where(), header, name))
			}
			several = true
		}
	}
	return several
}

// Trust is Prove for a command that works on a few objects: of a server that was proved before it
// goes by the verdicts in bucket.json.
func (v *Volume) Trust(ctx context.Context, p Proving) error {
	if err := v.CheckBond(); err != nil {
		return err
	}
	known, ok := v.Known()
	lock, lockProved := v.KnownTable()
	if !ok || !lockProved && boundTable(*v.Bond).Backend == BackendS3 {
		return v.Prove(ctx, p)
	}
	v.Verdict, v.lockVerdict, v.lockProved = known, lock, lockProved
	return v.allow(p)
}

// allow sets what is known of the server in Bucket, and refuses a server that does not allow a
// read-write mount.
func (v *Volume) allow(p Proving) error {
	v.Bucket.SetFlaws(v.Verdict.Flaws)
	if err := v.refuseTable(v.lockVerdict.Flaws); err != nil {
		return err
	}
	mode, line := judge(v.server(), v.Verdict.Flaws, p.Degraded)
	if mode == ReadOnly || mode == Degraded && !p.Degraded {
		return errors.New(line)
	}
	if line != "" {
		p.Say(v.Verdict.Flaws.Has(store.DeleteConditions|store.CompleteConditions), line)
	}
	return nil
}

// Recall sets what bucket.json knows of the server, and gives one line if reads are wrong, else "".
// A read-only mount asks no more: a probe would write.
func (v *Volume) Recall() string {
	v.Verdict, _ = v.Known()
	v.lockVerdict, v.lockProved = v.KnownTable()
	v.Bucket.SetFlaws(v.Verdict.Flaws)
	_, line := judge(v.server(), v.Verdict.Flaws&(store.WrongReads|store.WrongHistory), false)
	return line
}

// Known gives the verdict about the bucket on this server that bucket.json keeps.
func (v *Volume) Known() (store.Verdict, bool) { return v.recall(subject{}, v.Bucket.Server()) }

// KnownTable gives that about the bucket of the lock table. There is none of another table of that name.
func (v *Volume) KnownTable() (store.Verdict, bool) {
	if v.Bond == nil || boundTable(*v.Bond).Backend != BackendS3 {
		return store.Verdict{}, false
	}
	return v.recall(subject{table: lockTableName(*v.Bond)}, v.Bucket.Server())
}

// recall gives what bucket.json knows of a subject on the server of that name.
func (v *Volume) recall(s subject, header string) (store.Verdict, bool) {
	if v.Bond == nil {
		return store.Verdict{}, false
	}
	return v.Bond.Verdict(v.at.name(), header, s.table)
}
