package integration

import (
	"strings"
	"testing"

	"github.com/latchfs/latchfs/integration/harness"
)

// Programs that remember what is in a directory look at its times to see whether to read it
// again. They find at once what this host changed, and within the TTL what another one did, by
// TWO, its mount.
// SEMANTICS Attributes and times
func TestDirectoryTimes(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two")
	for _, tt := range []struct{ name, script, want string }{
		{"python", `mkdir py; python3 -B - <<'P'
import importlib, os, sys, time
sys.path.insert(0, os.getcwd() + "/py")
def has(name):
    try:
        importlib.import_module(name)
        return "found"
    except ImportError:
        return "missing"
print(has("ours"), has("theirs"))
open("py/ours.py", "w").close()
print(has("ours"))
open("TWO/py/theirs.py", "w").close()
time.sleep(1.2)
print(has("theirs"))
P`, "missing missing\nfound\nfound\n"},
		{"mailbox", `python3 - <<'P'
import mailbox, os, time
box = mailbox.Maildir("mail", create=True)
print(len(box))
time.sleep(2.2)
mailbox.Maildir("TWO/mail").add("Subject: theirs\n\nx")
time.sleep(1.2)
print(len(box))
key = mailbox.Maildir("TWO/mail").keys()[0]
time.sleep(2.2)
mailbox.Maildir("TWO/mail").remove(key)
time.sleep(1.2)
print(len(box.keys()))
P`, "0\n1\n0\n"},
		{"git", `mkdir git; cd git; git init -q . 2>&1
git update-index --test-untracked-cache 2>&1 | grep -o OK
git config core.untrackedCache true
mkdir d; echo x > d/tracked; git add d; git status --porcelain; git status --porcelain
echo x > d/ours; git status --porcelain -uall | grep ours
echo x > TWO/git/d/theirs; mkdir TWO/git/new; echo x > TWO/git/new/f; sleep 1.2; git status --porcelain -uall | grep -e theirs -e new
rm TWO/git/d/theirs; sleep 1.2; git status --porcelain -uall
`, "OK\nA  d/tracked\nA  d/tracked\n?? d/ours\n?? d/theirs\n?? new/f\nA  d/tracked\n?? d/ours\n?? new/f\n"},
		{"find and make", `mkdir -p fm/a fm/b fm/c; cd fm; echo x > b/gone; ls -R > /dev/null; sleep 1.2; touch stamp
printf 'list: a b c\n\tls a b c | tr "\\n" " " > list\n' > Makefile
sleep 0.01; make -s; make -q && find . -mindepth 1 -newer stamp -type d
echo x > TWO/fm/a/theirs; rm TWO/fm/b/gone; sleep 1.2; find . -mindepth 1 -newer stamp -type d | sort
make -s; cat list; echo; make -q && echo done
echo x > c/ours; make -q || echo again; mv c/ours c/other; make -s; make -q && echo done; rm c/other; make -q || echo again`,
			"./a\n./b\na: theirs  b:  c: \ndone\nagain\ndone\nagain\n"},
		{"the root", `stat -c %y . > /dev/null; ls > /dev/null; sleep 1.2; was=$(stat -c '%y %z' .); sleep 1.2
test "$was" = "$(stat -c '%y %z' .)" && echo same; echo x > TWO/root; sleep 1.2; test "$was" = "$(stat -c '%y %z' .)" || echo changed`, "same\nchanged\n"},
		{"tar", `mkdir tar; head -c 300000 /dev/zero > tar/big; touch tar/x; rm tar/x; stat tar > /dev/null
tar cf - tar | { sleep 1.3; wc -c | grep -q ..; }; sleep 1; chmod 700 tar; touch -d @5 tar; tar cf - tar | { sleep 1.3; wc -c | grep -q ..; }; stat -c %Y tar; stat -c %Y TWO/tar`, "5\n5\n"},
	} {
		o := e.TrySh(one.Mountpoint, strings.ReplaceAll(tt.script, "TWO", two.Mountpoint))
		if o.Out != tt.want || o.Code != 0 {
			t.Errorf("%s: code %d\n%s%swant:\n%s", tt.name, o.Code, o.Out, o.Err, tt.want)
		}
	}
}
