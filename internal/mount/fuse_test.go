package mount

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAllowsOther(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "fuse.conf")
	if allowsOther(conf) {
		t.Error("without fuse.conf")
	}
	for text, want := range map[string]bool{
		"": false, "#user_allow_other\n": false, "mount_max = 1000\n user_allow_other \n": true, "user_allow_other": true,
	} {
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := allowsOther(conf); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
