package integration

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// tool gives the path of a program that nothing of the project installs: what the variable says, else
// the one in PATH. A test that needs it fails where there is none.
func tool(t *testing.T, variable, name string) string {
	t.Helper()
	program := name
	if named := os.Getenv(variable); named != "" {
		program = named
	}
	found, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is not in PATH, and %s does not say where it is: %v", name, variable, err)
	}
	return found
}

// threeDays mounts a bucket with a history for other users, too: at home/data src/notes.txt holds "one" of three
// days ago, "two" of yesterday and "three" of now; src/gone was there until yesterday.
func threeDays(t *testing.T) *cook {
	// The last full hour is listed; it must not come between a change and a look.
	if left := time.Hour - time.Since(time.Now().Truncate(time.Hour)); left < 30*time.Second {
		time.Sleep(left)
	}
	c := newCook(t)
	mount := "latchfs mount --allow-other s3://" + cookBucket + " ~/data"
	older := func(by time.Duration) {
		c.mustRun("latchfs umount ~/data")
		c.server.Age(cookBucket, by)
		c.mustRun(mount)
	}
	c.mustRun("latchfs init --lock dynamodb:latchfs s3://" + cookBucket + "; mkdir ~/data; chmod 755 ~; " + mount)
	c.mustRun("(umask 022; cd ~/data; mkdir src; echo one > src/notes.txt; echo kept > src/gone)")
	older(48 * time.Hour)
	c.mustRun("(umask 022; cd ~/data; echo two > src/notes.txt; rm src/gone)")
	older(26 * time.Hour)
	c.mustRun("(umask 022; cd ~/data; echo three > src/notes.txt)")
	return c
}

// The stanza of docs/COOKBOOK.md makes a Samba server offer the previous versions of a file and of a
// directory, as Windows shows and restores them.
func TestLongSamba(t *testing.T) {
	t.Parallel()
	smbd, smbclient := tool(t, "LATCHFS_TEST_SMBD", "smbd"), tool(t, "LATCHFS_TEST_SMBCLIENT", "smbclient")
	c := threeDays(t)
	stanza := strings.ReplaceAll(fenced(t, "../docs/COOKBOOK.md", "ini"), "/users/ann/data", c.home+"/data")
	try := c.samba(smbd, smbclient, stanza)
	smb := func(commands string) string {
		t.Helper()
		o := try(commands)
		if o.Code != 0 {
			t.Fatalf("%s: exit code %d\n%s%s", commands, o.Code, o.Out, o.Err)
		}
		return o.Out
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	two, one := "@GMT-"+today.Format(smbTime), "@GMT-"+today.AddDate(0, 0, -2).Format(smbTime)
	for _, name := range []string{`src`, `src\notes.txt`} {
		if got := smb("allinfo " + name); !strings.Contains(got, one+"\n") || !strings.Contains(got, two+"\n") {
			t.Errorf("%s and %s are not among the versions of %s:\n%s", one, two, name, got)
		}
	}
	for from, want := range map[string]string{
		`src\notes.txt`: "three\n", two + `\src\notes.txt`: "two\n", one + `\src\notes.txt`: "one\n", one + `\src\gone`: "kept\n",
	} {
		smb("get " + from + " got")
		if got := readText(t, filepath.Join(c.Dir, "got")); got != want {
			t.Errorf("%s is %q, want %q", from, got, want)
		}
	}
	if got := smb("ls " + one + `\src\*`); !strings.Contains(got, " gone ") {
		t.Errorf("the deleted file is not in the directory of then:\n%s", got)
	}
	smb("scopy " + one + `\src\notes.txt src\copy; rename src\copy src\notes.txt -f`) // the server itself copies, as for Windows
	if got := c.Sh(c.home, "cat data/src/notes.txt; ls data/src"); got != "one\nnotes.txt\n" {
		t.Errorf("after restoring there is %q", got)
	}
	if o := try("put got " + two + `\src\notes.txt`); o.Code == 0 {
		t.Errorf("a version was overwritten: %s%s", o.Out, o.Err)
	}
}

// smbTime is the form of a time in the name of a previous version.
const smbTime = "2006.01.02-15.04.05"

// httm lists the versions of a file, finds a deleted one, and restores, with the lines of docs/COOKBOOK.md.
func TestLongHttm(t *testing.T) {
	t.Parallel()
	httm := tool(t, "LATCHFS_TEST_HTTM", "httm")
	c := threeDays(t)
	if out := c.Run(time.Minute, httm, "--version").Out; out != "httm 0.13.4\n" {
		t.Fatalf("%s is %q; the page is about 0.13.4", httm, out)
	}
	c.Must(os.Symlink(httm, filepath.Join(c.Mkdir("home/bin"), "httm")))
	lines := strings.Split(strings.TrimSpace(fenced(t, "../docs/COOKBOOK.md", "sh")), "\n")
	if len(lines) != 7 {
		t.Fatalf("the page has %d lines about httm", len(lines))
	}
	c.mustRun(strings.Join(lines[1:3], "; ")) // all but the installation
	do := func(line, from, to string) string {
		t.Helper()
		line = "(export PATH=~/bin:$PATH; cd ~/data; " + lines[3] + "; " + strings.Replace(line, from, to, 1) + ")"
		o := c.run(line)
		if o.Code != 0 {
			t.Fatalf("%s: exit code %d\n%s%s", line, o.Code, o.Out, o.Err)
		}
		return o.Out
	}
	found := do(lines[4], "httm", "httm --raw --no-live")
	content := ""
	for _, name := range strings.Fields(found) {
		content += readText(t, name)
	}
	if content != "one\ntwo\n" {
		t.Errorf("the versions\n%shold %q", found, content)
	}
	if got := do(lines[5], "", ""); !strings.Contains(got, "/src/gone\n") {
		t.Errorf("the deleted file is not in\n%s", got)
	}
	// It asks on the terminal, and looks for what is typed.
	got := do(lines[6], lines[6], "(sleep 2; printf YES; sleep 1; printf '\\r'; sleep 2) | script -qec '"+lines[6]+"' /dev/null")
	if text := c.Sh(c.home, "cat data/notes.txt.httm_restored.*"); text != "two\n" {
		t.Errorf("%q was restored:\n%s", text, got)
	}
}

// samba starts a Samba server on the loopback interface for a share, which everybody may use, and gives a
// function that has a client do something there.
func (c *cook) samba(smbd, smbclient, share string) func(commands string) harness.Output {
	c.Helper()
	dir := c.Mkdir("samba")
	conf := "[global]\nmap to guest = Bad User\nload printers = no\ndisable spoolss = yes\ninterfaces = 127.0.0.1\nbind interfaces only = yes\n"
	for _, setting := range []string{"private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir"} {
		conf += setting + " = " + dir + "\n"
	}
	conf += "log file = " + dir + "/log\n" + share + "guest ok = yes\nforce user = root\nread only = no\n"
	c.Must(os.WriteFile(filepath.Join(dir, "smb.conf"), []byte(conf), 0o644))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	c.Must(err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	c.Must(err)
	c.Must(l.Close())
	daemon := exec.Command(smbd, "--foreground", "--no-process-group", "-s", dir+"/smb.conf", "-p", port)
	daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // when it ends it ends its process group
	server := c.Start(daemon)
	c.Cleanup(func() {
		server.Cmd.Process.Signal(unix.SIGTERM) // its children end with it
		server.Wait(20 * time.Second)
	})
	run := func(commands string) harness.Output {
		c.Helper()
		return c.TrySh(c.Dir, fmt.Sprintf("%s -s %s/smb.conf -p %s -N //127.0.0.1/data -c '%s'", smbclient, dir, port, commands))
	}
	c.Eventually(20*time.Second, func() error {
		if o := run("ls"); o.Code != 0 {
			return errors.New(o.Out + o.Err)
		}
		return nil
	})
	return run
}

// fenced gives the only block of a kind of a page.
func fenced(t *testing.T, page, kind string) string {
	t.Helper()
	_, after, found := strings.Cut(readText(t, page), "```"+kind+"\n")
	block, _, ended := strings.Cut(after, "```")
	if !found || !ended {
		t.Fatalf("%s has no block of %s", page, kind)
	}
	return block
}
