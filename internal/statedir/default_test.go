package statedir

import (
	"os"
	"testing"
)

// Root's state is the host's; that of others is where their programs keep state.
func TestDefault(t *testing.T) {
	for _, tt := range []struct{ xdg, home, want string }{
		{"/x/state", "/users/me", "/x/state/latchfs"},
		{"", "/users/me", "/users/me/.local/state/latchfs"},
		{"relative", "/users/me", "/users/me/.local/state/latchfs"}, // the XDG specification: to be ignored
		{"", "", ""},
	} {
		t.Setenv("XDG_STATE_HOME", tt.xdg)
		t.Setenv("HOME", tt.home)
		if got, err := defaultOf(1000); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("XDG_STATE_HOME=%q HOME=%q: %q, %v, want %q", tt.xdg, tt.home, got, err, tt.want)
		}
		if got, err := defaultOf(0); got != "/var/lib/latchfs" || err != nil {
			t.Errorf("root's is %q, %v", got, err)
		}
	}
	want, _ := defaultOf(os.Geteuid())
	if got, _ := Default(); got != want {
		t.Errorf("%q, want that of the caller, %q", got, want)
	}
}
