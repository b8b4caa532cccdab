package cli

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestLogIsHeldBackUntilMounted(t *testing.T) {
	var before, after bytes.Buffer
	out, log := newMountLog(slog.LevelInfo, "/mnt", &before)
	log.Info("early")
	log.Debug("unwanted")
	if before.Len() != 0 {
		t.Errorf("said before it was mounted: %q", before.String())
	}
	out.release(&after)
	log.Info("late")
	if s := after.String(); !strings.Contains(s, "early") || !strings.Contains(s, "late") || strings.Contains(s, "unwanted") || strings.Index(s, "early") > strings.Index(s, "late") {
		t.Errorf("log: %q", s)
	} else if strings.Count(s, " mount=/mnt") != 2 {
		t.Errorf("lines that do not name the mount: %q", s)
	}
	before.Reset()
	_, log = newMountLog(slog.LevelDebug, "/mnt", &before)
	log.Debug("at once")
	if !strings.Contains(before.String(), "at once") {
		t.Error("with --log-level debug lines are held back")
	}
}
