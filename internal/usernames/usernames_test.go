package usernames

import (
	"errors"
	"os"
	"os/user"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names, asked := map[string]string{"1": "ann", "2": "", "3": strings.Repeat("x", longest+1)}, 0
		n := Names{lookup: func(uid string) (*user.User, error) {
			asked++
			if name, ok := names[uid]; ok {
				return &user.User{Username: name}, nil
			}
			return nil, errors.New("unknown")
		}}
		for range 2 {
			for uid, want := range map[uint32]string{1: "ann", 2: "2", 3: "3", 4294967295: "4294967295"} {
				if got := n.Of(uid); got != want {
					t.Errorf("%d is %q, want %q", uid, got, want)
				}
			}
		}
		if asked != 4 {
			t.Errorf("asked %d times", asked)
		}
		names["1"] = "beth"
		if time.Sleep(believed - 1); n.Of(1) != "ann" {
			t.Error("not believed for a minute")
		}
		if time.Sleep(time.Nanosecond); n.Of(1) != "beth" {
			t.Error("believed for longer than a minute")
		}
	})
}

// Without a double it is the host that answers.
func TestHost(t *testing.T) {
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if got := new(Names).Of(uint32(os.Getuid())); got != u.Username {
		t.Errorf("%q, want %q", got, u.Username)
	}
}
