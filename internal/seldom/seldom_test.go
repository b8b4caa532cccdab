package seldom

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What is remembered is little while it comes, and nothing after two quiet minutes.
func TestKindsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		l := New(slog.New(slog.NewTextHandler(&text, nil)))
		for i := range 10_000 {
			key := fmt.Sprint("k", i)
			l.Say(l.Named(Kind{Op: "save"}, key), slog.LevelError, "failed", key)
		}
		remembered := func() int {
			l.mu.Lock()
			defer l.mu.Unlock()
			return len(l.kinds)
		}
		if n := remembered(); n > MaxKeys+1 {
			t.Errorf("%d kinds are remembered", n)
		}
		time.Sleep(2*Every + 1)
		synctest.Wait()
		if n := remembered(); n != 0 {
			t.Errorf("%d kinds are remembered after two quiet minutes", n)
		}
		if n := strings.Count(text.String(), "\n"); n != MaxKeys+2 {
			t.Errorf("%d lines, want one for each of %d keys, one for all others and their count", n, MaxKeys)
		}
		if !strings.Contains(text.String(), fmt.Sprintf(`msg="failed again" op=save last=k9999 times=%d`, 10_000-MaxKeys-1)) {
			t.Errorf("the rest was not told:\n%s", text.String())
		}
	})
}
