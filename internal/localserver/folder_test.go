package localserver

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A folder of somebody else is neither hidden nor mixed with what the server keeps.
func TestFolderOfOthersIsRefused(t *testing.T) {
	install(t)
	for name, c := range map[string]struct {
		make []string // files, and folders where a name ends in a slash
		says string   // of the error; "": it is taken
	}{
		"empty":                     {nil, ""},
		"a new file system":         {[]string{"lost+found/"}, ""},
		"ours":                      {[]string{"index.db", "notes.txt"}, ""},
		"ours, cut off early":       {[]string{"users", "server.err"}, ""},
		"a folder full of photos":   {[]string{"1.jpg", "users"}, "holds 1.jpg, which is not of latchfs"},
		"with a folder in it":       {[]string{"sub/"}, "holds sub, which is not of latchfs"},
		"with nothing but a hidden": {[]string{".git/"}, "holds .git, which"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range c.make {
				write := func(name string) error { return os.WriteFile(name, nil, 0o600) }
				if strings.HasSuffix(f, "/") {
					write = func(name string) error { return os.Mkdir(name, 0o700) }
				}
				if err := write(filepath.Join(dir, f)); err != nil {
					t.Fatal(err)
				}
			}
			s, err := Open(t.Context(), dir, slog.New(slog.DiscardHandler))
			if err == nil {
				defer s.Close()
			}
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v, want %q", err, c.says)
			}
			if left, _ := os.ReadDir(dir); c.says != "" && len(left) != len(c.make) {
				t.Errorf("in the folder that was refused: %v", left)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "x"), "/proc/x/y"} {
		if _, err := Open(t.Context(), dir, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "name one") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// What a mount that failed has made goes with it, unless somebody else uses it by then.
func TestDiscard(t *testing.T) {
	install(t)
	log := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	made := filepath.Join(dir, "a", "b")
	s, err := Open(t.Context(), made, log)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Open(t.Context(), made, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Discard(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(made, "server.json")); err != nil {
		t.Fatalf("the folder of another user is gone: %v", err)
	}
	other.Close()

	made = filepath.Join(dir, "c")
	if s, err = Open(t.Context(), made, log); err != nil {
		t.Fatal(err)
	}
	if err := s.Discard(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(made); !os.IsNotExist(err) {
		t.Errorf("what was made is still there: %v", err)
	}

	there := t.TempDir()
	if s, err = Open(t.Context(), there, log); err != nil {
		t.Fatal(err)
	}
	if err := s.Discard(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(there, "server.json")); err != nil {
		t.Errorf("a folder that was there before: %v", err)
	}

}
