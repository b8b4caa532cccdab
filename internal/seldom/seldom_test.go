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
		if n := len(l.kinds); n > MaxKeys+1 {
			t.Errorf("%d kinds are remembered", n)
		}
		if n := strings.Count(text.String(), "\n"); n != MaxKeys+1 {
			t.Errorf("%d lines, want one for each of %d keys and one for all others", n, MaxKeys)
		}
		time.Sleep(2*Every + 1)
		synctest.Wait()
		if n := len(l.kinds); n != 0 {
			t.Errorf("%d kinds are remembered after two quiet minutes", n)
		}
		if !strings.Contains(text.String(), fmt.Sprintf(`msg="failed again" op=save last=k9999 times=%d`, 10_000-MaxKeys-1)) {
			t.Errorf("the rest was not told:\n%s", text.String())
		}
	})
}
