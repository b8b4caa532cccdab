package fs

import (
	"context"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/internal/when"
)

// A timesNode is .versions/@: the times at which the directory can be looked at. A time as it is
// listed is a directory; other forms of a time are symlinks to it, so that readlink tells what they
// mean, and who goes on from there stays at one time.
type timesNode struct {
	fs.Inode
	readOnlyNode
}

// A timeLink is another form of a time, as 2h, or a label.
type timeLink struct {
	fs.Inode
	readOnlyNode
	name string
	at   time.Time // of a label; else zero
}

// A DirLabel is a name that somebody gave to a directory as it stood at a time.
type DirLabel struct {
	Name string
	Time time.Time
}

// DirLabels tells the labels of directories. None of them is a form of a time.
type DirLabels interface {
	// All gives those of a directory by its key.
	All(ctx context.Context, dir string) ([]DirLabel, error)
	// Find gives the one with a name; ok is false if there is none.
	Find(ctx context.Context, dir, name string) (l DirLabel, ok bool, err error)
}

// lookupPast gives .versions/@.
func (v *viewNode) lookupPast(ctx context.Context, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	a, err := v.f.presentDir(ctx, v.dir)
	if err != nil {
		return nil, v.f.fail("lookup", v.dir+pastName, err)
	}
	v.fillView(a, out)
	if in := v.GetChild(pastName); in != nil {
		return in, 0
	}
	return v.NewInode(ctx, &timesNode{readOnlyNode: v.readOnlyNode}, fs.StableAttr{Mode: fuse.S_IFDIR}), 0
}

// Lookup implements fs.NodeLookuper. A path does not tell the zone of whoever wrote it: it is UTC.
func (n *timesNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	ctx, stop := untilKilled(ctx)
	defer stop()
	at, err := when.Parse(name, n.f.past.Now(), time.UTC)
	if err != nil {
		return n.lookupLabel(ctx, name, out)
	}
	if when.Path(at) != name {
		return n.link(ctx, &timeLink{readOnlyNode: n.readOnlyNode, name: name}, out), 0
	}
	known := n.GetChild(name)
	if known == nil {
		d := &pastDir{readOnlyNode: n.readOnlyNode, at: at}
		if d.attr, err = n.f.pastTop(ctx, n.dir, at); err != nil {
			return nil, n.f.fail("lookup", n.dir+pastName+"/"+name, err)
		}
		known = n.NewInode(ctx, d, n.f.identifyView(fuse.S_IFDIR, numberAt(n.dir, at)))
	}
	n.f.fill(&out.Attr, known.Operations().(*pastDir).attr)
	n.f.believe(out, time.Time{})
	return known, 0
}

func (n *timesNode) lookupLabel(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if n.f.dirLabels == nil {
		return nil, unix.ENOENT
	}
	l, ok, err := n.f.dirLabels.Find(ctx, n.dir, name)
	switch {
	case err != nil:
		return nil, n.f.fail("lookup", n.dir+pastName+"/"+name, err)
	case !ok:
		return nil, unix.ENOENT
	}
	return n.link(ctx, &timeLink{readOnlyNode: n.readOnlyNode, name: name, at: l.Time}, out), 0
}

// link gives a symlink: the one that the kernel may know, unless it leads elsewhere.
func (n *timesNode) link(ctx context.Context, l *timeLink, out *fuse.EntryOut) *fs.Inode {
	l.fill(&out.Attr)
	out.SetEntryTimeout(n.f.ttl)
	if in := n.GetChild(l.name); in != nil {
		if known, ok := in.Operations().(*timeLink); ok && known.at.Equal(l.at) {
			return in
		}
	}
	return n.NewInode(ctx, l, fs.StableAttr{Mode: fuse.S_IFLNK})
}

// OpendirHandle implements fs.NodeOpendirHandler: the labels, and then times that depend on the clock
// alone.
func (n *timesNode) OpendirHandle(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	list := func(ctx context.Context) ([]listed, error) {
		var entries []listed
		if n.f.dirLabels != nil {
			labels, err := n.f.dirLabels.All(ctx, n.dir)
			if err != nil {
				return nil, err
			}
			for _, l := range labels {
				entries = append(entries, listed{DirEntry: fuse.DirEntry{Name: l.Name, Mode: fuse.S_IFLNK}})
			}
		}
		for _, t := range grid(n.f.past.Now()) {
			entries = append(entries, listed{DirEntry: fuse.DirEntry{Name: when.Path(t), Ino: numberAt(n.dir, t), Mode: fuse.S_IFDIR}})
		}
		return entries, nil
	}
	return &dirHandle{list: list, fail: n.readdirFailed(n.dir + pastName)}, 0, 0
}

// gridMonths is how many months the times that are listed go back.
const gridMonths = 60

// grid gives the times that are listed: the full hours of the last day, the days of the last month and
// the firsts of the months.
func grid(now time.Time) (times []time.Time) {
	now = now.UTC()
	for t := now.Truncate(time.Hour); t.After(now.AddDate(0, 0, -1)); t = t.Add(-time.Hour) {
		times = append(times, t)
	}
	y, m, d := now.Date()
	for t := time.Date(y, m, d, 0, 0, 0, 0, time.UTC); t.After(now.AddDate(0, -1, 0)); t = t.AddDate(0, 0, -1) {
		times = append(times, t)
	}
	for i := range gridMonths {
		times = append(times, time.Date(y, m-time.Month(i), 1, 0, 0, 0, 0, time.UTC))
	}
	slices.SortFunc(times, time.Time.Compare)
	return slices.CompactFunc(times, time.Time.Equal)
}

// Getattr implements fs.NodeGetattrer.
func (n *timeLink) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.fill(&out.Attr)
	return 0
}

func (n *timeLink) fill(out *fuse.Attr) {
	a := n.f.bareDir()
	a.Mode, a.Size = unix.S_IFLNK|0o777, int64(len(when.Path(time.Time{})))
	n.f.fill(out, a)
}

// Readlink implements fs.NodeReadlinker.
func (n *timeLink) Readlink(context.Context) ([]byte, syscall.Errno) {
	if !n.at.IsZero() {
		return []byte(when.Path(n.at)), 0
	}
	at, err := n.f.ages.moment(n.name, n.f.past.Now())
	if err != nil {
		return nil, unix.ENOENT
	}
	return []byte(when.Path(at)), 0
}

// ages keeps what an age means for as long as it is in use. Else a program that goes through
// .versions/@/2h by whole paths would see another time with each second.
type ages struct {
	mu sync.Mutex // guards what follows; a leaf
	m  map[string]moment
}

type moment struct{ at, made, used time.Time }

const (
	// agePause is how long an age is not used before it means another time.
	agePause = time.Minute
	// ageShare is which part of itself an age may be wrong by, if it is in use for long.
	ageShare = 20
	// maxAges bounds how many are kept.
	maxAges = 1000
)

// over tells whether an age means another time by now.
func (m moment) over(now time.Time) bool {
	return now.Sub(m.used) >= agePause || now.Sub(m.made) >= max(agePause, m.made.Sub(m.at)/ageShare)
}

// moment gives the time that somebody means by a form of it. It fails as when.Parse does.
func (a *ages) moment(name string, now time.Time) (time.Time, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	m, known := a.m[name]
	if !known || m.over(now) {
		at, err := when.Parse(name, now, time.UTC)
		if err != nil {
			return at, err
		}
		m = moment{at: at, made: now}
		for other, m := range a.m {
			if m.over(now) || len(a.m) >= maxAges {
				delete(a.m, other)
			}
		}
	}
	m.used = now
	a.m[name] = m
	return m.at, nil
}
