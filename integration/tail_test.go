package integration

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/integration/harness"
)

// tail -F on another host shows every line of a log that is opened, appended to and closed for each
// line. The documents advise it in place of tail -f, which shows one version. SEMANTICS G2, G3
func TestTailOnAnotherHost(t *testing.T) {
	t.Parallel()
	e := suite.New(t)
	b := e.Bucket(harness.OnS3, harness.Patient)
	writer, reader := b.Mount("one"), b.Mount("two")
	e.Sh(writer.Mountpoint, "echo 0 > log")
	tail := e.Start(exec.Command("tail", "-n", "+1", "-s", "0.1", "-F", reader.Path("log")))
	for i := range 3 {
		e.Sh(writer.Mountpoint, fmt.Sprintf("echo %d >> log", i+1))
		e.Eventually(30*time.Second, func() error {
			if got := tail.Out.String(); !strings.Contains(got, fmt.Sprint(i+1)) {
				return fmt.Errorf("tail shows %q", got)
			}
			return nil
		})
	}
}
