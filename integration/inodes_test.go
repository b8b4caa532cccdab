package integration

import (
	"fmt"
	"strings"
	"testing"

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
