package cli

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPrintTable(t *testing.T) {
	var b bytes.Buffer
	if err := printTable(&b, []string{"A", "B"}, nil); err != nil || b.Len() != 0 {
		t.Errorf("without rows: %q, %v", b.String(), err)
	}
	err := printTable(&b, []string{"A", "B"}, [][]string{{"x\ty", "1"}, {"z", "\x1b[31m"}})
	if want := "A       B\n\"x\\ty\"  1\nz       \"\\x1b[31m\"\n"; err != nil || b.String() != want {
		t.Errorf("%q, %v; want %q", b.String(), err, want)
	}
}

// A progress is silent for two seconds, draws ten times a second at most, and leaves nothing.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := newProgress(Stdio{Err: &b}, "files")
		p.w = &b // as if it were a terminal
		p.tick(1, 10)
		if p.end(); b.Len() != 0 {
			t.Errorf("at once: %q", b.String())
		}
		time.Sleep(progressAfter)
		p.tick(5, 10)
		p.tick(6, 10)
		if want := "\r[===============               ] 5 of 10 files\x1b[K"; b.String() != want {
			t.Errorf("%q, want %q", b.String(), want)
		}
		time.Sleep(100 * time.Millisecond)
		p.tick(10, 10)
		p.tick(0, 0)
		if p.end(); !strings.HasSuffix(b.String(), "] 10 of 10 files\x1b[K\r\x1b[K") {
			t.Errorf("at the end: %q", b.String())
		}
		b.Reset()
		if p.end(); b.Len() != 0 {
			t.Errorf("at the end again: %q", b.String())
		}
	})
	var b bytes.Buffer
	p := newProgress(Stdio{Err: &b}, "files")
	p.began = time.Now().Add(-time.Hour)
	p.tick(1, 2)
	if p.end(); b.Len() != 0 {
		t.Errorf("without a terminal: %q", b.String())
	}
}
