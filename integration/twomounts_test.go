package integration

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	lfs "github.com/latchfs/latchfs/fs"
	"github.com/latchfs/latchfs/fs/file"
	"github.com/latchfs/latchfs/fs/history"
	"github.com/latchfs/latchfs/fs/lease"
	"github.com/latchfs/latchfs/fs/reader"
	"github.com/latchfs/latchfs/fs/spool"
	"github.com/latchfs/latchfs/fs/tree"
	"github.com/latchfs/latchfs/lockmgr"
	"github.com/latchfs/latchfs/lockmgr/memtable"
	"github.com/latchfs/latchfs/store"
	"github.com/latchfs/latchfs/store/memstore"
)

// twoMountsProgram is one process with two mounts of one bucket in memory, DIR/a/mnt and
// DIR/b/mnt. It ends one for each line of its standard input, and both when that ends.
func twoMountsProgram(args []string) int {
	api, table := memstore.New(memstore.Options{Versioned: true}), memtable.NewServer()
	var ends []func() error
	var err error
	for _, name := range []string{"a", "b"} {
		var end func() error
		if end, err = mountInProcess(filepath.Join(args[0], name), name, api, table); err != nil {
			break
		}
		ends = append(ends, end)
	}
	in := bufio.NewScanner(os.Stdin)
	for i, end := range ends {
		fmt.Println(len(ends)-i, "mounts")
		in.Scan()
		err = errors.Join(err, end())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// mountInProcess mounts the bucket at dir/mnt. What it returns ends the mount.
func mountInProcess(dir, name string, api store.API, table *memtable.Server) (end func() error, err error) {
	mnt, accepted := filepath.Join(dir, "mnt"), filepath.Join(dir, "spool")
	if err := errors.Join(os.MkdirAll(mnt, 0o755), os.MkdirAll(accepted, 0o700)); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	times := lockmgr.Timing{Beat: time.Second, Lease: 15 * time.Second, Delay: 15 * time.Second}
	bucket := store.New(api, store.Options{Host: name, Log: log, Timing: store.Timing{Quiet: times.Delay, Stall: times.Stall()}})
	locks := lockmgr.New(table.Table(), lockmgr.Config{Schema: 1, Timing: times, ID: "table"},
		lockmgr.Options{BucketID: "bucket", Name: name, Host: name, Log: log})
	sp, err := spool.Open(accepted, spool.Options{Limit: 1 << 30})
	if err != nil {
		return nil, err
	}
	names := tree.New(bucket, tree.Options{TTL: time.Second})
	ahead := reader.New(bucket, 8<<20)
	defaults := file.Defaults{FileMode: 0o644, DirMode: 0o755}
	files := file.NewTable(file.Options{
		Objects: bucket, Locks: lease.Manager(locks), Spool: sp, Reader: ahead, Host: name, Defaults: defaults,
		LockTimeout: time.Minute, FlushTimeout: time.Minute, Quiet: times.Delay, Log: log, Changed: names.Note,
	})
	server, err := lfs.Mount(mnt, lfs.Config{
		Tree: names, Files: files, Reader: ahead, History: history.New(bucket), Defaults: defaults,
		MetadataTTL: time.Second, FsName: name, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return func() error {
		if err := unix.Unmount(mnt, 0); err != nil {
			return fmt.Errorf("unmounting %s: %w", mnt, err)
		}
		server.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		left, err := files.Shutdown(ctx)
		if len(left) > 0 {
			err = errors.Join(err, fmt.Errorf("%s: left in the spool: %v", name, left))
		}
		return errors.Join(err, locks.Close(ctx), sp.Close())
	}, nil
}

// Nothing is global: two mounts in one process are two hosts, one of which waits for the
// lease of the other, and ending one does not end the other.
func TestTwoMountsInOneProcess(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	dir := e.Mkdir("two")
	cmd := e.ProgramCommand("two mounts", dir)
	in, err := cmd.StdinPipe()
	e.Must(err)
	p := e.Start(cmd)
	a, b := filepath.Join(dir, "a/mnt"), filepath.Join(dir, "b/mnt")
	t.Cleanup(func() { // where the test has failed
		in.Close()
		unix.Unmount(a, unix.MNT_DETACH)
		unix.Unmount(b, unix.MNT_DETACH)
	})
	e.Eventually(10*time.Second, func() error { return equal(p.Out.String()+p.Err.String(), "2 mounts\n") })

	f, g := newFiles(e), newFiles(e)
	e.Sh(dir, "mkdir a/mnt/d; echo one > a/mnt/d/f; cat b/mnt/d/f; echo two >> b/mnt/d/f; ls b/mnt/.versions")
	fd := f.mustOpen(filepath.Join(a, "d/f"), unix.O_RDWR)
	if got := f.mustRead(fd, 0, 100); got != "one\ntwo\n" {
		t.Errorf("a reads %q", got)
	}
	f.mustWrite(fd, 8, "three\n")
	waiting := g.begin(fileCall{Op: "open", Path: filepath.Join(b, "d/f"), Flags: unix.O_RDWR})
	select {
	case r := <-waiting:
		t.Errorf("b did not wait for a: %+v", r)
	case <-time.After(500 * time.Millisecond):
		f.mustClose(fd)
		r, err := g.within(10*time.Second, waiting)
		e.Must(err)
		if got := g.mustRead(r.N, 0, 100); got != "one\ntwo\nthree\n" {
			t.Errorf("b reads %q", got)
		}
		g.mustClose(r.N)
	}
	// A process with files open in both: a close looks at the descriptors of its own mount alone.
	x, y := f.mustOpen(filepath.Join(a, "x"), unix.O_WRONLY|unix.O_CREAT), f.mustOpen(filepath.Join(b, "y"), unix.O_WRONLY|unix.O_CREAT)
	f.mustWrite(x, 0, "x\n")
	f.mustWrite(y, 0, "y\n")
	f.mustClose(x)
	if got := g.mustGet(filepath.Join(b, "x")); got != "x\n" {
		t.Errorf("b reads %q while a file of b is open", got)
	}
	f.mustClose(y)
	if got := g.mustGet(filepath.Join(a, "y")); got != "y\n" {
		t.Errorf("a reads %q", got)
	}
	fmt.Fprintln(in)
	e.Eventually(10*time.Second, func() error { return equal(p.Out.String(), "2 mounts\n1 mounts\n") })
	if got := e.Sh(b, "cat x; echo more >> x; cat x"); got != "x\nx\nmore\n" {
		t.Errorf("b, left alone, reads %q", got)
	}
	in.Close()
	if o := p.Wait(30 * time.Second); o.Code != 0 || o.Err != "" {
		t.Errorf("exit code %d\n%s", o.Code, o.Err)
	}
}
