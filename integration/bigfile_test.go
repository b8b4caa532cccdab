package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latchfs/latchfs/integration/harness"
)

// streamProgram writes ("out") or reads ("in") a file of a given size as a stream and
// prints the SHA-256 of its bytes, which follow from a seed.
func streamProgram(args []string) int {
	size, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return 2
	}
	h := sha256.New()
	switch args[0] {
	case "out":
		err = streamOut(args[1], size, h)
	case "in":
		err = streamIn(args[1], size, h)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(hex.EncodeToString(h.Sum(nil)))
	return 0
}

func streamOut(path string, size int64, h io.Writer) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	seed := [32]byte{1}
	src := io.LimitReader(rand.NewChaCha8(seed), size)
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(f, h)}, src, make([]byte, 1<<20)); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func streamIn(path string, size int64, h io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, make([]byte, 1<<20))
	if err == nil && n != size {
		err = fmt.Errorf("read %d bytes of %d", n, size)
	}
	return err
}

// TestBigFile: a file that goes up in parts and comes back whole, in bounded memory.
func TestBigFile(t *testing.T) {
	t.Parallel()
	testStream(t, 512<<20, 5*time.Minute)
}

// TestSoakStream: 5 GiB in and out.
func TestSoakStream(t *testing.T) { testStream(t, 5<<30, 30*time.Minute) }

func testStream(t *testing.T, size int64, limit time.Duration) {
	e := suite.New(t)
	// Once in the spool, once in the server's folder, and what either keeps besides.
	var fs unix.Statfs_t
	e.Must(unix.Statfs(e.Dir, &fs))
	if free := int64(fs.Bavail) * fs.Bsize; free < 4*size {
		t.Fatalf("%d MiB are free in %s, this test wants %d: set TMPDIR to a bigger disk", free>>20, e.Dir, 4*size>>20)
	}
	b := e.Bucket(harness.OnDynamoDB, harness.Patient)
	one, two := b.Mount("one"), b.Mount("two")
	bytes := strconv.FormatInt(size, 10)

	start := time.Now()
	out := one.Program("stream", "out", one.Path("big"), bytes).Wait(limit)
	written := time.Since(start)
	if out.Code != 0 {
		t.Fatalf("writing: %s", out.Err)
	}
	start = time.Now()
	in := two.Program("stream", "in", two.Path("big"), bytes).Wait(limit)
	read := time.Since(start)
	if in.Code != 0 {
		t.Fatalf("reading: %s", in.Err)
	}
	if in.Out != out.Out {
		t.Errorf("SHA-256 of what was read %s, of what was written %s", in.Out, out.Out)
	}
	head, err := b.S3.Head(e.Timeout(time.Minute), "big")
	e.Must(err)
	if *head.ContentLength != size {
		t.Errorf("the object has %d bytes", *head.ContentLength)
	}
	for _, h := range []*harness.Host{one, two} {
		if peak := peakMemory(e, h.PID()); peak >= 300<<20 {
			t.Errorf("the mount of %s used %d MiB of memory, want less than 300", h.Hostname, peak>>20)
		} else {
			t.Logf("%s used %d MiB of memory", h.Hostname, peak>>20)
		}
	}
	t.Logf("%d MiB: written in %s, read in %s", size>>20, written.Round(time.Millisecond), read.Round(time.Millisecond))
	e.Sh(one.Mountpoint, "rm big")
}

// peakMemory gives VmHWM of a process in bytes.
func peakMemory(e *harness.Env, pid int) int64 {
	e.Helper()
	peak, err := highWater(pid)
	e.Must(err)
	return peak
}

// highWater gives VmHWM of a process in bytes. It fails for a process that has ended.
func highWater(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no VmHWM of process %d", pid)
}
