package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// make install puts programs and links where mount(8) finds them, below DESTDIR; the mount needs
// nothing else; make uninstall takes everything away.
func TestMakeInstall(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	f := fstab{local: newLocal(e)}
	e.Mkdir("mnt/a")
	root, data := filepath.Join(e.Dir, "root"), filepath.Join(e.Dir, "data")
	build := func(target string) {
		t.Helper()
		// The programs under test are built already.
		o := e.Run(time.Minute, "make", "-s", "-C", "..", target, "DESTDIR="+root, "LATCHFS="+f.bin+"/latchfs", "LOCAL="+f.bin+"/latchfs-local")
		if o.Code != 0 {
			t.Fatalf("make %s: exit code %d\n%s%s", target, o.Code, o.Out, o.Err)
		}
	}
	build("install")
	build("install") // an upgrade
	if got, want := filesBelow(t, root), "sbin/mount.fuse.latchfs -> /usr/local/bin/latchfs\nsbin/mount.latchfs -> /usr/local/bin/latchfs\nusr/local/bin/latchfs\nusr/local/bin/latchfs-local\n"; got != want {
		t.Errorf("installed:\n%swant\n%s", got, want)
	}
	o := f.inNamespace(`
		mount --bind root/usr/local /usr/local
		mount --bind root/sbin /sbin`, "PATH=/usr/bin:/bin", `
		for kind in latchfs fuse.latchfs; do
			mount -t $kind -o "state_dir=$PWD/state" "local:$PWD/data" "$PWD/mnt/a"
			echo $kind >> mnt/a/f; cat mnt/a/f
			umount mnt/a; saved
		done`)
	if want := "latchfs\nlatchfs\nfuse.latchfs\n"; o.Code != 0 || o.Out != want || o.Err != "" {
		t.Errorf("exit code %d, %q, %q; want %q", o.Code, o.Out, o.Err, want)
	}
	f.stopServer(data)
	build("uninstall")
	if got := filesBelow(t, root); got != "" {
		t.Errorf("left by make uninstall:\n%s", got)
	}
}

// filesBelow lists everything below dir that is no directory, links with their targets.
func filesBelow(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b.WriteString(strings.TrimPrefix(path, dir+"/"))
		if target, err := os.Readlink(path); err == nil {
			b.WriteString(" -> " + target)
		}
		b.WriteString("\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
