package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// tar looks at a file before and after it has read it, and fails if ctime has changed meanwhile.
// It does not after a change of ours, in whatever part of a second that was, and however long the
// reader of the archive takes.
// SEMANTICS Attributes and times
func TestTarRightAfterAChange(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	h := e.Bucket(harness.OnS3, harness.Patient).Mount("one")
	o := e.TrySh(h.Mountpoint, `
umask 022; head -c 300000 /dev/zero > base; sleep 1.1
n=0
for change in 'cp base F' 'chmod 600 F' 'touch F' 'python3 -c "import os; os.utime(os.open(\"F\", os.O_WRONLY))"' 'mv F G; mv G F' \
    'echo x >> F' 'chown 1 F' 'touch -d @1 F' 'cp base G; mv G F' 'truncate -s 299999 F' 'stat F; touch F'; do
  for part in 0.1 0.4 0.7; do
    n=$((n + 1))
    (
      cp base f$n; sleep $part
      eval "$(echo "$change" | sed "s/F/f$n/g; s/G/g$n/g")" > /dev/null; stat f$n > /dev/null
      tar cf - f$n | { sleep 1.3; cat > /dev/null; }
      [ "${PIPESTATUS[0]}" = 0 ] || echo "after $change"
    ) &
  done
done 2>&1
wait`)
	if o.Out != "" || o.Code != 0 {
		t.Errorf("code %d\n%s%s", o.Code, o.Out, o.Err)
	}
}

// make builds what changed, and nothing else, also within the second of the change.
// SEMANTICS Attributes and times
func TestMakeAndFindNewer(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	h := b.Mount("one")
	got := e.Sh(h.Mountpoint, `
printf 'all: a.out\n%%.out: %%.in\n\tcp $< $@\n' > Makefile
echo 1 > a.in; make -s; sleep 0.01; make -q && echo done
echo 2 > a.in; make -q || echo again; make -s; cat a.out; make -q && echo done
mv a.in b.in; mv b.in a.in; make -q && echo done
find . -cnewer a.out -name '*.in'`)
	if want := "done\nagain\n2\ndone\ndone\n./a.in\n"; got != want {
		t.Errorf("make and find say\n%swant\n%s", got, want)
	}
	// Another host sees the same mtime, and a ctime that is the bucket's.
	times := func(h *harness.Host) (mtime, ctime string) {
		fields := strings.Fields(e.Sh(h.Mountpoint, "stat -c '%y %z' a.in"))
		return fields[1], fields[4]
	}
	two := b.Mount("two")
	mtime, ctime := times(h)
	if other, _ := times(two); other != mtime {
		t.Errorf("mtime is %s, and %s on the other host", mtime, other)
	}
	time.Sleep(1100 * time.Millisecond)
	if m, c := times(h); m != mtime || c != ctime {
		t.Errorf("mtime %s became %s, ctime %s became %s", mtime, m, ctime, c)
	}
}
