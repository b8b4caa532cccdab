package integration

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// TestCookbook does what docs/COOKBOOK.md shows, from its first line to its last: each line of a console
// that begins with "$ " is run, and what it prints is what the page says below it. What differs from one run to the
// next (times, ids, the host and the user) is compared by its form.
func TestCookbook(t *testing.T) {
	t.Parallel()
	c := newCook(t)
	page := "../docs/COOKBOOK.md"
	steps := recipes(t, page)
	for i := range steps {
		s := &steps[i]
		c.do(s)
		told := i+1 < len(steps) && steps[i+1].command == "echo $?" || strings.HasPrefix(s.command, "diff ") && c.code == 1
		if c.code != 0 && !told {
			t.Errorf("line %d: %s: exit code %d, of which the page says nothing", s.line, s.command, c.code)
		}
	}
	if len(steps) < 40 {
		t.Errorf("only %d steps were found", len(steps))
	}
	if *recordCookbook {
		c.Must(os.WriteFile(page, []byte(pageOf(readText(t, page), steps)), 0o644))
	}
}

var recordCookbook = flag.Bool("cookbook.record", false, "write into docs/COOKBOOK.md what its commands print")

// pageOf gives a page with what its commands have printed.
func pageOf(page string, steps []step) string {
	var out strings.Builder
	inside, next := false, 0
	for i, line := range strings.SplitAfter(page, "\n") {
		for next < len(steps) && steps[next].line < i+1 {
			next++
		}
		bare := strings.TrimSuffix(line, "\n")
		switch {
		case bare == "```console":
			inside = true
		case bare == "```":
			inside = false
		}
		if inside && bare != "```console" && !strings.HasPrefix(line, "$ ") && !strings.HasPrefix(line, "> ") {
			continue // what was printed then
		}
		out.WriteString(line)
		if s := next; s < len(steps) && steps[s].command != "" && i+1 == steps[s].line+strings.Count(steps[s].command, "\n") {
			out.WriteString(steps[s].printed)
		}
	}
	return out.String()
}

// A step is a command of the page with what it prints, or a pause.
type step struct {
	line    int
	command string
	prints  string // as the page says
	printed string
	pause   time.Duration // how much older everything becomes
}

// later is how the page says that time goes by; who reads the page as it is shown does not see it.
var later = regexp.MustCompile(`^<!-- later: (\S+) -->$`)

// recipes reads the steps of a page.
func recipes(t *testing.T, page string) (steps []step) {
	inside := false
	for i, line := range strings.Split(readText(t, page), "\n") {
		switch {
		case line == "```console":
			inside = true
		case line == "```":
			inside = false
		case later.MatchString(line):
			d, err := time.ParseDuration(later.FindStringSubmatch(line)[1])
			if err != nil {
				t.Fatal(err)
			}
			steps = append(steps, step{line: i + 1, pause: d})
		case !inside:
		case strings.HasPrefix(line, "$ "):
			steps = append(steps, step{line: i + 1, command: line[2:]})
		case strings.HasPrefix(line, "> "):
			steps[len(steps)-1].command += "\n" + line[2:]
		default:
			steps[len(steps)-1].prints += line + "\n"
		}
	}
	return steps
}

// A cook has a home directory, the programs in its PATH, and servers that stand for AWS.
type cook struct {
	*harness.Env
	server *harness.AgingServer
	bin    string
	home   string
	cwd    string
	code   int // of the last command
	dynamo harness.Endpoint
}

// The bucket and the mount point of the page.
const (
	cookBucket = "my-bucket"
	cookMount  = "data"
)

// typing is how long a person needs at least between two commands. A mount shows what a command without a mount has done
// within --metadata-ttl, which is a second (SEMANTICS G2).
const typing = 1100 * time.Millisecond

// outside are the commands that change files without a mount.
var outside = map[string]bool{"restore": true, "undelete": true, "undo": true}

func newCook(t *testing.T) *cook {
	e := suite.New(t)
	c := &cook{Env: e, server: e.AgingServer(), bin: withStateDir(e), home: e.Mkdir("home")}
	c.cwd = c.home
	var err error
	c.dynamo, err = suite.DynamoDB()
	e.Must(err)
	t.Cleanup(func() {
		if c.mounted() {
			c.cwd = c.home // as in do
			c.mustRun("latchfs umount ~/" + cookMount)
		}
	})
	return c
}

// withStateDir makes a directory with a latchfs that keeps its state in the test's own directory: what
// root mounts would leave a log in /var/lib else.
func withStateDir(e *harness.Env) string {
	e.Helper()
	program, err := suite.Latchfs()
	e.Must(err)
	bin := e.Mkdir("bin")
	script := fmt.Sprintf(`#!/bin/sh
command=$1
shift
case $command in
mount|umount) exec %[1]s $command --state-dir %[2]s "$@" ;;
esac
exec %[1]s $command "$@"
`, program, e.Mkdir("state"))
	e.Must(os.WriteFile(filepath.Join(bin, "latchfs"), []byte(script), 0o755))
	return bin
}

func (c *cook) mounted() bool {
	return c.run("mountpoint -q ~/"+cookMount).Code == 0
}

// run runs a command where the one before it left the shell.
func (c *cook) run(command string) harness.Output {
	c.Helper()
	at := filepath.Join(c.Dir, "cwd")
	cmd := harness.Named("laptop", "/bin/bash", "-c", fmt.Sprintf("trap 'pwd > %s' EXIT\n(exit %d)\n%s", at, c.code, command))
	cmd.Dir = c.cwd
	cmd.Env = append(append(cmd.Env, c.Environ()...), "PATH="+c.bin+":"+os.Getenv("PATH"), "HOME="+c.home, "USER=ann", "XDG_RUNTIME_DIR="+c.Mkdir("run"),
		"AWS_REGION="+harness.Region, "AWS_ENDPOINT_URL_S3="+c.server.URL, "AWS_ENDPOINT_URL_DYNAMODB="+c.dynamo.URL,
		"AWS_ACCESS_KEY_ID="+c.server.AccessKey, "AWS_SECRET_ACCESS_KEY="+c.server.SecretKey)
	o := c.Start(cmd).Wait(2 * time.Minute)
	if cwd, err := os.ReadFile(at); err == nil {
		c.cwd = strings.TrimSpace(string(cwd))
	}
	return o
}

func (c *cook) mustRun(command string) {
	c.Helper()
	if o := c.run(command); o.Code != 0 {
		c.Fatalf("%s: exit code %d\n%s%s", command, o.Code, o.Out, o.Err)
	}
}

// do takes a step of the page.
func (c *cook) do(s *step) {
	c.Helper()
	if s.pause > 0 {
		back := c.cwd
		c.cwd = c.home // a mount that is somebody's working directory cannot be unmounted
		c.mustRun("latchfs umount ~/" + cookMount)
		c.server.Age(cookBucket, s.pause)
		c.mustRun("latchfs mount s3://" + cookBucket + " ~/" + cookMount)
		c.cwd, c.code = back, 0
		return
	}
	o := c.run(s.command)
	if fields := strings.Fields(s.command); fields[0] == "latchfs" && outside[fields[1]] {
		time.Sleep(typing)
	}
	c.code, s.printed = o.Code, c.anonymous(o.Out+o.Err)
	if got, want := form(s.printed), form(s.prints); got != want && !*recordCookbook {
		c.Errorf("line %d: %s prints\n%s\nand not\n%s\nwhich is\n%s%s", s.line, s.command, got, want, o.Out, o.Err)
	}
}

var varies = []struct {
	form *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d[.:]\d\d[.:]\d\d(\.\d+)?Z?`), "TIME"},
	{regexp.MustCompile(`: (created|exists), beat`), ": MADE, beat"}, // by an earlier run with the same server of lock tables
	{regexp.MustCompile(`TIME\.\d{3}~`), "TIME.PLACE~"},              // among the versions of the same second
	{regexp.MustCompile(`\d{4}-\d\d-\d\d`), "DAY"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "VERSION"}, // the embedded server's
	{regexp.MustCompile(`\b[0-9a-f]{8,20}\b`), "ID"},
	{regexp.MustCompile(`\bsed[0-9A-Za-z]{6}\b`), "SED"}, // sed -i's file
	{regexp.MustCompile(`[ \t]+`), " "},                  // columns are as wide as the words in them
}

// anonymous gives what a command printed with the names that the page has for home directory and server.
func (c *cook) anonymous(text string) string {
	return strings.NewReplacer(c.home, "/users/ann", c.server.URL, "http://localhost:9000").Replace(text)
}

// form gives a text without what differs from one run to the next.
func form(text string) string {
	for _, v := range varies {
		text = v.form.ReplaceAllString(text, v.as)
	}
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, "\n")
}
