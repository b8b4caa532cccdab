package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// tar looks at a file before and after it has read it, and fails if ctime has changed meanwhile.
// It does not right after a change of ours, in whatever part of a second that was.
// SEMANTICS Attributes and times
func TestTarRightAfterAChange(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	h := e.Bucket(harness.OnS3, harness.Patient).Mount("one")
	o := e.TrySh(h.Mountpoint, `
umask 022; echo x > base; sleep 1.1
for i in $(seq 6); do
  for change in 'echo $i > f' 'chmod 60$((i % 2)) f' 'touch f' 'mv f g; mv g f' 'echo x >> f' 'chown $i f' \
      'touch -d @1 f' 'cp base g; mv g f' 'truncate -s 1 f' 'sed -i s/x/y/ f'; do
    eval "$change"; tar cf ../out.tar f || echo "after $change: $?"
  done
  sleep 0.17
done 2>&1; rm ../out.tar`)
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
