package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// Programs tell files apart by device and inode number, right after whatever changed them:
// two files are never the same, and none has the number 0, which means "unknown" to many.
// SEMANTICS Attributes and times
func TestFilesAreToldApartAfterAChange(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	h := e.Bucket(harness.OnS3, harness.Patient).Mount("one")
	for i, change := range []string{
		"chmod 600 A/f B/f", "chown 1:1 A/f B/f", "touch A/f B/f", "touch -d @1 A/f B/f",
		"truncate -s 4 A/f B/f", "python3 -c 'import os; [os.utime(os.open(n, os.O_RDWR), (1, 1)) for n in (\"A/f\", \"B/f\")]'",
		"chmod 700 A B",
	} {
		dirs := strings.NewReplacer("A", fmt.Sprintf("a%d", i), "B", fmt.Sprintf("b%d", i))
		change = dirs.Replace(change)
		o := e.TrySh(h.Mountpoint, dirs.Replace(`umask 022; mkdir A B; echo aaaa > A/f; echo bbbb > B/f
`+change+`
stat -c %i A B A/f B/f | sort -u | grep -vcx 0
if cmp -s A/f B/f; then echo cmp; fi
if diff -r A B > /dev/null; then echo diff; fi
`+change+`
cp A/f B/f; cmp A/f B/f`))
		if o.Out != "4\n" || o.Code != 0 {
			t.Errorf("after %s: code %d\n%s%s", change, o.Code, o.Out, o.Err)
		}
	}
}

// A file keeps its inode number over renames, changes and mounts, and every host shows the same;
// the file that takes its old name has another one. readdir, by which ls -i goes, agrees.
// SEMANTICS Attributes and times
func TestInodeNumbersStay(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Brief)
	one := b.Mount("one")
	const look = "; stat -c '%i %n' log log.1 log.2 current; ls -i | grep -v foreign"
	want := e.Sh(one.Mountpoint, `
for i in 1 2 3; do
  if [ -e log.1 ]; then mv log.1 log.2; fi
  if [ -e log ]; then stat -c %i log > /dev/null; mv log log.1; fi
  echo $i > log
  ln -s log.$i tmp; mv -T tmp current
done
chmod 600 log.1; echo more >> log.2`+look)
	numbers := make(map[string]bool)
	for _, line := range strings.Fields(want) {
		numbers[line] = true
	}
	if len(numbers) != 4+4 { // names, and a number each
		t.Errorf("numbers and names:\n%s", want)
	}
	two := b.Mount("two")
	if got := e.Sh(two.Mountpoint, "true"+look); got != want {
		t.Errorf("the other host shows\n%swant:\n%s", got, want)
	}
	one.Umount()
	one.Mount()
	if got := e.Sh(one.Mountpoint, "stat current log.2 log.1 log > /dev/null"+look); got != want {
		t.Errorf("the next mount shows\n%swant:\n%s", got, want)
	}
	// A rename without a look before it keeps the number, too.
	if got := e.Sh(two.Mountpoint, "was=$(stat -c %i log.2); mv log.2 x; test $was = $(stat -c %i x) && mv x log.2 && cp -p log.2 copy && stat -c %i log.2 copy | sort -u | wc -l; rm copy"); got != "2\n" {
		t.Errorf("a copy: %q numbers", got)
	}
	e.Must(b.S3.Put(e.Timeout(time.Minute), "foreign", "x"))
	time.Sleep(1100 * time.Millisecond)
	if got := e.Sh(one.Mountpoint, "true"+look); got != want {
		t.Errorf("in the end:\n%swant:\n%s", got, want)
	}
}
