package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// fstab is an fstab file and a mount namespace of its own, in which mount(8) finds the program as
// its helper in /sbin.
type fstab struct {
	local
	lines []string
}

func newFstab(e *harness.Env) *fstab {
	e.Helper()
	f := &fstab{local: newLocal(e)}
	latchfs, err := suite.Latchfs()
	e.Must(err)
	sbin := e.Mkdir("sbin")
	for _, name := range []string{"mount.latchfs", "mount.fuse.latchfs"} {
		e.Must(os.Symlink(latchfs, filepath.Join(sbin, name)))
	}
	fuse, err := os.ReadFile("/sbin/mount.fuse3") // of the package fuse3
	e.Must(err)
	e.Must(os.WriteFile(filepath.Join(sbin, "mount.fuse"), fuse, 0o755))
	return f
}

// add adds a line for a mount point of the test's own. %s in the options is the state directory.
func (f *fstab) add(source, name, kind, options string) {
	f.Helper()
	options = strings.ReplaceAll(options, "%s", filepath.Join(f.Dir, "state"))
	f.lines = append(f.lines, fmt.Sprintf("%s %s %s %s 0 0\n", source, f.Mkdir("mnt/"+name), kind, options))
}

// run runs a bash script in the namespace. The working directory has the mount points in mnt/, and
// $FSTAB is the file.
func (f *fstab) run(script string) harness.Output {
	f.Helper()
	file := filepath.Join(f.Dir, "fstab")
	f.Must(os.WriteFile(file, []byte(strings.Join(f.lines, "")), 0o600))
	return f.inNamespace(`
		mount --bind "$PWD/sbin" /sbin`, "FSTAB="+file, script)
}

// inNamespace runs a script in a mount namespace of its own after a script that makes that ready.
func (f *fstab) inNamespace(prelude, variable, script string) harness.Output {
	f.Helper()
	// /run/mount is where mount(8) writes to beside the kernel. The traps and the wait are for a mount's
	// process, which keeps the namespace for as long as it has something to save.
	cmd := f.InNamespace("bash", "-euo", "pipefail", "-c", prelude+`
		mount -t tmpfs none /run
		end() { umount -lq "$PWD"/mnt/* 2>/dev/null || true; }
		trap end EXIT
		saved() { for i in $(seq 600); do compgen -G "$PWD/state/*/mount.json" >/dev/null || return 0; sleep 0.1; done; return 1; }
		`+script)
	cmd.Dir = f.Dir
	cmd.Env = append(cmd.Env, variable)
	return f.Start(cmd).Wait(2 * time.Minute)
}

// Lines of an fstab file as users of s3fs and rclone have them, of both types: everything is mounted
// when mount -a returns, and a second mount -a finds nothing to do. What env. sets is in the environment of the
// mount alone: credentials, which nothing else has here, and a mark with a comma.
func TestFstab(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	f := newFstab(e)
	b := e.Bucket(harness.OnS3, harness.Patient)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "sub/old", "old\n"))
	access := fmt.Sprintf("endpoint=%s,endpoint=%s,use_path_request_style,env.AWS_ACCESS_KEY_ID=%s,env.AWS_SECRET_ACCESS_KEY=%s,state_dir=%%s",
		b.Server().URL, harness.Region, b.Server().AccessKey, b.Server().SecretKey)
	data := filepath.Join(e.Dir, "data")
	f.add("local:"+data, "local", "latchfs", "_netdev,nofail,x-systemd.automount,noexec,noatime,umask=0027,state_dir=%s")
	f.add(b.Source(), "s3", "fuse.latchfs", `defaults,allow_other,nofail,x-systemd.requires=network-online.target,env.LATCHFS_TEST_MARK=a\,hidden,`+access)
	f.add(b.Source()+"/sub/", "ro", "latchfs", "ro,user,noauto,fsname=part,"+access)
	// Files, or grep and the script would be found.
	e.Must(os.WriteFile(filepath.Join(e.Dir, "marks"), []byte("hidden\n"+b.Server().SecretKey), 0o600))
	e.Must(os.WriteFile(filepath.Join(e.Dir, "variable"), []byte("LATCHFS_TEST_MARK=a,hidden"), 0o600))
	o := f.run(`
		mount --fstab "$FSTAB" -a
		echo 1 > mnt/local/f; echo 2 > mnt/s3/f
		daemons() { cat state/*/mount.json | grep -o '"pid": *[0-9]*' | sort -u; }
		before=$(daemons)
		mount --fstab "$FSTAB" -a
		[ "$before" = "$(daemons)" ] && echo the same
		mount --fstab "$FSTAB" "$PWD/mnt/ro"
		cat mnt/ro/old; touch mnt/ro/new 2>&1 | grep -o 'Read-only.*' || true
		cp /bin/true mnt/local; mnt/local/true 2>&1 | grep -o 'Permission denied' || true
		for m in local s3 ro; do findmnt -rno SOURCE,FSTYPE "$PWD/mnt/$m"; done
		findmnt -rno OPTIONS "$PWD/mnt/local" | grep -o 'no[a-z]*,' | tr -d '\n'; echo
		findmnt -rno OPTIONS "$PWD/mnt/s3" | grep -o allow_other
		findmnt -rno OPTIONS "$PWD/mnt/ro" | grep -o '^ro,'
		grep -slaFf marks /proc/[0-9]*/cmdline /run/mount/utab || echo in no command line
		{ grep -slaFf variable /proc/[0-9]*/environ || true; } | wc -l # grep fails if a process ends meanwhile
		umount mnt/local mnt/s3 "$PWD/mnt/ro"
		saved`)
	want := strings.Join([]string{
		"the same", "old", "Read-only file system", "Permission denied",
		"local:" + data + " fuse.latchfs", b.Source() + " fuse.latchfs", "part fuse.latchfs",
		"nosuid,nodev,noexec,noatime,", "allow_other", "ro,", "in no command line", "1", "",
	}, "\n")
	if o.Code != 0 || o.Out != want || o.Err != "" {
		t.Errorf("exit code %d, %s\n%s\nwant\n%s", o.Code, o.Err, o.Out, want)
	}
	if got := b.Content("f"); got != "2\n" {
		t.Errorf("the bucket has %q", got)
	}
	f.stopServer(data)
}

// A line with the option user lets a user mount and unmount. mount(8) gives the helper an empty
// environment and the rights of the user then.
func TestFstabUser(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	f := newFstab(e)
	data := filepath.Join(e.Dir, "home/data")
	f.add("local:"+data, "a", "latchfs", "user,noauto,noatime,state_dir=%s")
	e.Sh(e.Suite.Root(), "chmod 755 . "+e.Dir) // the way to the mount
	o := f.run(`
		mkdir dev state public
		mount -t tmpfs -o dev none dev; mknod -m 666 dev/fuse c 10 229; mount --bind dev/fuse /dev/fuse
		cp -L bin/latchfs bin/latchfs-local public; ln -sf "$PWD/public/latchfs" sbin/mount.latchfs
		mount --bind "$FSTAB" /etc/fstab
		chown 65534 home state mnt/a
		user() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
		user mount "$PWD/mnt/a"
		findmnt -rno SOURCE,FSTYPE,OPTIONS "$PWD/mnt/a" | grep -o '^[^,]*,\(no[a-z]*,\)*'
		user touch mnt/a/f; user stat -c '%u %g' mnt/a/f
		user umount "$PWD/mnt/a"
		saved; umount /dev/fuse dev`)
	want := "local:" + data + " fuse.latchfs rw,nosuid,nodev,noexec,noatime,\n65534 65534\n"
	if o.Code != 0 || o.Out != want || o.Err != "" {
		t.Errorf("exit code %d, %s\n%s\nwant\n%s", o.Code, o.Err, o.Out, want)
	}
	f.stopServer(data)
}

// x-systemd.automount: whoever comes to the mount point first waits in the kernel until the mount is
// there. The mount itself would wait, too, if it had left the process group of its automounter by
// then; here that is a script.
func TestFstabAutomount(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	f := newFstab(e)
	data := filepath.Join(e.Dir, "data")
	f.add("local:"+data, "a", "latchfs", "noauto,x-systemd.automount,state_dir=%s")
	script, err := os.ReadFile("testdata/automounter.py")
	e.Must(err)
	e.Must(os.WriteFile(filepath.Join(e.Dir, "automounter.py"), script, 0o600))
	o := f.run(`
		coproc auto { exec python3 automounter.py "$PWD/mnt/a" "$FSTAB"; }
		read -u "${auto[0]}" ready
		timeout 60 mkdir mnt/a/d
		findmnt -rno FSTYPE "$PWD/mnt/a"
		pid=$(cat state/*/mount.json | grep -o '"pid": *[0-9]*' | grep -o '[0-9]*')
		[ "$(ps -o sid= -p "$pid" | tr -d ' ')" = "$pid" ] && echo a session of its own
		umount mnt/a; saved
		umount mnt/a; kill "$auto_PID"`)
	if want := "autofs\nfuse.latchfs\na session of its own\n"; o.Code != 0 || o.Out != want || o.Err != "" {
		t.Errorf("exit code %d, %s\n%s\nwant\n%s", o.Code, o.Err, o.Out, want)
	}
	f.stopServer(data)
}

// What cannot be mounted is one line and an exit code that mount(8) knows, and nothing is mounted.
func TestFstabFailures(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	f := newFstab(e)
	b := e.Bucket(harness.OnS3, harness.Patient)
	access := fmt.Sprintf("url=%s,region=%s,force_path_style,state_dir=%%s,env.AWS_ACCESS_KEY_ID=%s,", b.Server().URL, harness.Region, b.Server().AccessKey)
	secret := "env.AWS_SECRET_ACCESS_KEY=" + b.Server().SecretKey
	for i, c := range []struct {
		source, options string
		code            int
		says            string
	}{
		{b.Source(), access + secret + ",allow_othr", 1, "-o allow_othr does not exist, the nearest is allow_other"},
		{b.Source(), access + secret + ",uid=-1", 1, "uid"},
		{"nfs://x", access, 1, "names no bucket"},
		{b.Source(), access + secret + ",env.X", 1, "env.X sets no environment variable"},
		{b.Source(), access + secret + ",remount", 1, "unmount it, then mount it again"},
		{b.Source(), access, 32, "no AWS credentials"},
		{b.Source(), access + "env.AWS_SECRET_ACCESS_KEY=wrong", 32, "refuses these credentials"},
		{b.Source() + "-not", access + secret, 32, "does not exist"},
		{b.Source(), "url=http://127.0.0.1:1,region=r,state_dir=%s,env.AWS_ACCESS_KEY_ID=a,env.AWS_SECRET_ACCESS_KEY=b", 32, "127.0.0.1:1"},
	} {
		name := fmt.Sprint(i)
		f.lines = nil
		f.add(c.source, name, "latchfs", c.options)
		o := f.run(`mount --fstab "$FSTAB" "$PWD/mnt/` + name + `"`)
		if o.Code != c.code || o.Out != "" || strings.Count(o.Err, "\n") != 1 || !strings.HasPrefix(o.Err, "latchfs: ") || !strings.Contains(o.Err, c.says) {
			t.Errorf("%s %s: exit code %d, %q, %q; want %d and one line with %q", c.source, c.options, o.Code, o.Out, o.Err, c.code, c.says)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(e.Dir, "state/*/mount.json")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// The other ways in: mount(8) with a source and options of its own, -f (fake), -s (sloppy), by way of
// mount.fuse(8), and -N, where the mount is in the other namespace and not here.
func TestMountHelper(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	f := newFstab(e)
	e.Mkdir("mnt/a")
	data := filepath.Join(e.Dir, "data")
	o := f.run(`
		on="state_dir=$PWD/state" mnt=$PWD/mnt/a
		mount -f -t latchfs -o "$on" "local:$PWD/data" "$mnt"
		! findmnt "$mnt" && [ ! -e data ] && echo faked
		mount -s -t latchfs -o "$on,bogus=1" "local:$PWD/data" "$mnt"
		findmnt -rno SOURCE "$mnt"; umount "$mnt"; saved
		mount -t fuse -o "$on,noexec" "mount.latchfs#local:$PWD/data" "$mnt"
		findmnt -rno SOURCE,FSTYPE "$mnt"; umount "$mnt"; saved

		coproc other { exec unshare --mount cat; }
		until [ "$(readlink /proc/$other_PID/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ]; do sleep 0.01; done
		mount -N "$other_PID" -t latchfs -o "$on,env.A=b" "local:$PWD/data" "$mnt"
		findmnt "$mnt" || echo not here
		nsenter -m -t "$other_PID" findmnt -rno SOURCE "$mnt"
		nsenter -m -t "$other_PID" umount "$mnt"
		kill "$other_PID"; saved`)
	source := "local:" + data
	want := strings.Join([]string{"faked", source, source + " fuse.latchfs", "not here", source, ""}, "\n")
	if o.Code != 0 || o.Out != want || o.Err != "" {
		t.Errorf("exit code %d, %s\n%s\nwant\n%s", o.Code, o.Err, o.Out, want)
	}
	f.stopServer(data)
}
