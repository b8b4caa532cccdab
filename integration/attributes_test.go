package integration

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// What Linux leaves to the file system: set-id bits, the group of what is made in a
// directory with the set-group-id bit, and permissions that the mount lets others use.
func TestAttributes(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one", "--allow-other")
	e.Must(unix.Chmod(e.Dir, 0o755)) // others have to reach the mount
	for _, tt := range []struct{ name, script, want string }{
		{"chown takes set-id bits", `echo x > c; chmod 6755 c; chown 1000:1000 c; stat -c %a c`, "755\n"},
		{"chown leaves mandatory locking", `echo x > m; chmod 2644 m; chown 1000 m; stat -c %a m`, "2644\n"},
		{"chown of a directory", `mkdir D; chmod 2755 D; chown 1000 D; stat -c %a D`, "2755\n"},
		{"a write by another", `echo x > w; chmod 6777 w; setpriv --reuid 1000 --clear-groups sh -c 'echo y >> w'; stat -c %a w`, "777\n"},
		{"a write by root", `echo x > r; chmod 6755 r; echo y >> r; stat -c %a r`, "6755\n"},
		{"truncate by another", `echo x > t; chmod 4777 t; setpriv --reuid 1000 --clear-groups truncate -s 1 t; stat -c %a t`, "777\n"},
		{"an open by another that cuts it", `echo x > u; chmod 6777 u; setpriv --reuid 1000 --clear-groups sh -c ': > u'; stat -c %a u`, "777\n"},
		{"an open by root that cuts it", `echo x > v; chmod 6755 v; : > v; stat -c %a v`, "6755\n"},
		{"set-group-id directory", `mkdir d; chgrp 2000 d; chmod 2775 d; echo x > d/f; mkdir d/s; ln -s f d/l; stat -c '%g %a' d/f d/s; stat -c %g d/l`, "2000 644\n2000 2755\n2000\n"},
		{"permissions", `echo x > p; chmod 600 p; setpriv --reuid 1000 --clear-groups cat p 2>&1 || true; chmod 640 p; chgrp 1000 p; setpriv --reuid 1000 --regid 1000 --clear-groups cat p`,
			"cat: p: Permission denied\nx\n"},
		{"owner", `mkdir o; chmod 777 o; setpriv --reuid 1000 --regid 1001 --clear-groups sh -c 'umask 027; echo x > o/f; mkdir o/d'; stat -c '%u %g %a' o/f o/d`, "1000 1001 640\n1000 1001 750\n"},
		{"sticky", `mkdir s; chmod 1777 s; echo x > s/f; setpriv --reuid 1000 --clear-groups rm -f s/f 2>&1 || true; ls s`, "rm: cannot remove 's/f': Operation not permitted\nf\n"},
		{"the view stays", `rmdir .versions 2>&1 || true; mv .versions v 2>&1 | cut -c1-30 || true; ls -d .versions`, ""},
	} {
		o := e.TrySh(h.Mountpoint, "umask 022\n"+tt.script)
		if tt.want == "" {
			if strings.Contains(o.Out, ".versions\n") && strings.Contains(o.Out, "Operation not permitted") {
				continue
			}
		}
		if o.Out != tt.want || o.Code != 0 {
			t.Errorf("%s: code %d\n%s%swant:\n%s", tt.name, o.Code, o.Out, o.Err, tt.want)
		}
	}
	// Another mount sees the same.
	two := b.Mount("two")
	if got := e.Sh(two.Mountpoint, `stat -c '%a %g' c w t u v d d/f d/s d/l`); got != "755 1000\n777 0\n777 0\n777 0\n6755 0\n2775 2000\n644 2000\n2755 2000\n777 2000\n" {
		t.Errorf("the other mount shows\n%s", got)
	}
}

// A caller that is killed while it waits for another host's lease ends at once, whatever
// call it is in.
// SEMANTICS G4
func TestKilledWhileWaiting(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two").Expect("refused")
	holder := newFiles(e)
	holder.mustPut(one.Path("f"), "0\n")
	fd := holder.mustOpen(one.Path("f"), unix.O_RDWR)
	holder.mustWrite(fd, 0, "1\n")
	for _, tt := range []struct{ name, script string }{
		{"open", `echo x >> f`},
		{"chmod", `chmod 600 f`},
		{"truncate", `exec python3 -c 'import os, signal; signal.signal(2, signal.SIG_DFL); os.truncate("f", 1)'`},
		{"utimes", `exec python3 -c 'import os, signal; signal.signal(2, signal.SIG_DFL); os.utime("f", (1, 1))'`},
	} {
		for _, signal := range []string{"INT", "TERM", "KILL"} {
			began := time.Now()
			o := e.TrySh(two.Mountpoint, "timeout -s "+signal+" 0.5 bash -c '"+strings.ReplaceAll(tt.script, "'", `'"'"'`)+"' || echo code $?")
			if d := time.Since(began); d > 5*time.Second || !strings.HasPrefix(o.Out, "code 1") {
				t.Errorf("%s, SIG%s: ended after %s with %q %q", tt.name, signal, d, o.Out, o.Err)
			}
		}
	}
	holder.mustClose(fd)
	// What was given up took nothing with it and changed nothing.
	if got := e.Sh(two.Mountpoint, `cat f; stat -c %a f; echo 2 > f; cat f`); got != "1\n644\n2\n" {
		t.Errorf("after all: %q", got)
	}
}
