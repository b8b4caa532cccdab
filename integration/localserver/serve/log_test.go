package serve

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The log and the one before it are all that is kept, and no line is torn.
func TestLogIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.log")
	w, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	line := append(bytes.Repeat([]byte("x"), 1023), '\n')
	for range 2*maxLog/len(line) + 100 {
		if n, err := w.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + ".old"} {
		b, err := os.ReadFile(name)
		if err != nil || len(b) == 0 || len(b) > maxLog || len(b)%len(line) != 0 {
			t.Errorf("%s has %d bytes, %v", filepath.Base(name), len(b), err)
		}
	}
	// A log that is long at the start is begun anew as well.
	if w, err = openLog(path); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if w.size == 0 {
		t.Error("the size at the start is not seen")
	}
}
