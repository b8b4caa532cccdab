package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// foreignProgram adds unique lines to a file as an editor does: it opens the file,
// reads it, thinks, writes everything back and closes. It prints every line as
// acknowledged whose close returned 0, and as kept where it returned ESTALE.
func foreignProgram(args []string) int {
	path := args[0]
	pause := rand.New(rand.NewPCG(7, 7))
	for i := range 40 {
		line := fmt.Sprintf("host %d\n", i)
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
		for err == unix.EINTR {
			fd, err = unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "open:", err)
			return 1
		}
		buf := make([]byte, 1<<16)
		n, err := unix.Pread(fd, buf, 0)
		if err == nil {
			time.Sleep(time.Duration(pause.IntN(60)) * time.Millisecond)
			_, err = unix.Pwrite(fd, append(buf[:n], line...), 0)
		}
		cerr := unix.Close(fd)
		switch {
		case err == nil && cerr == nil, err == nil && cerr == unix.ESTALE:
			fmt.Print(line)
		case err == unix.ESTALE:
			// Not accepted: the file was found changed before it took the bytes.
		default:
			fmt.Fprintln(os.Stderr, "line", i, err, cerr)
			return 1
		}
		time.Sleep(time.Duration(pause.IntN(40)) * time.Millisecond)
	}
	return 0
}

// TestG1HostAgainstPlainClient: a host and a client that never heard of us add unique
// lines to one key at random times. Every line that either was told is written stands
// in a version of the file or in a conflict file.
// SEMANTICS G1, G5
func TestG1HostAgainstPlainClient(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	e.Must(b.S3.Put(e.Timeout(time.Minute), "f", "start\n"))
	h := b.Mount("one").Expect("changed")
	host := h.Program("foreign", h.Path("f"))

	var acknowledged []string
	pause := rand.New(rand.NewPCG(3, 3))
	ctx := e.Timeout(2 * time.Minute)
	for i := 0; ; i++ {
		select {
		case <-host.Done():
		case <-time.After(time.Duration(pause.IntN(150)) * time.Millisecond):
			line := fmt.Sprintf("plain %d\n", i)
			head, err := b.S3.Head(ctx, "f")
			e.Must(err)
			old, err := b.S3.Get(ctx, "f", *head.VersionId)
			e.Must(err)
			ok, err := b.S3.PutIfMatch(ctx, "f", append(old, line...), *head.ETag)
			e.Must(err)
			if ok {
				acknowledged = append(acknowledged, line)
			}
			continue
		}
		break
	}
	o := host.Wait(time.Minute)
	if o.Code != 0 {
		t.Errorf("the program on the host: %s", o.Err)
	}
	fromHost := strings.Count(o.Out, "\n")
	for line := range strings.Lines(o.Out) {
		acknowledged = append(acknowledged, line)
	}
	if fromHost < 10 || len(acknowledged)-fromHost < 10 {
		t.Errorf("only %d lines of the host and %d of the client were acknowledged: no contest", fromHost, len(acknowledged)-fromHost)
	}

	var everything strings.Builder
	for _, v := range b.VersionsOf("f") {
		body, err := b.S3.Get(ctx, "f", v.ID)
		e.Must(err)
		everything.Write(body)
	}
	conflicts := b.KeysBelow("f.conflict-")
	for _, key := range conflicts {
		everything.WriteString(b.Content(key))
	}
	for _, line := range acknowledged {
		if !strings.Contains(everything.String(), line) {
			t.Errorf("acknowledged and nowhere to be found: %q", line)
		}
	}
	t.Logf("%d lines of the host, %d of the client, %d conflict files", fromHost, len(acknowledged)-fromHost, len(conflicts))
	if len(conflicts) == 0 {
		t.Error("no conflict came about: the test shows nothing")
	}
	checkFinalChain(e, b)
}

// checkFinalChain checks that no version dropped a line: each holds all lines of the one
// before it.
func checkFinalChain(e *harness.Env, b *harness.Bucket) {
	e.Helper()
	before := ""
	for i, v := range b.VersionsOf("f") {
		body, err := b.S3.Get(e.Timeout(time.Minute), "f", v.ID)
		e.Must(err)
		for line := range strings.Lines(before) {
			if !strings.Contains(string(body), line) {
				e.Errorf("version %d lost %q, which its predecessor had", i, line)
			}
		}
		before = string(body)
	}
}
