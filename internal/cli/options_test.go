package cli

import (
	"reflect"
	"slices"
	"testing"
)

func TestOptionsAreSplitAndJoined(t *testing.T) {
	for in, want := range map[string][]string{
		"":                  nil,
		",,":                nil,
		"ro":                {"ro"},
		"ro,uid=1":          {"ro", "uid=1"},
		",ro,,uid=1,":       {"ro", "uid=1"},
		`a=1\,2,b`:          {"a=1,2", "b"},
		`a=1\\,b`:           {`a=1\`, "b"},
		`a=C:\dir\x,b`:      {`a=C:\dir\x`, "b"},
		`a=\`:               {`a=\`},
		"a=b=c,env.X= y z ": {"a=b=c", "env.X= y z "},
	} {
		var got optionWords
		got.Set(in)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		var again optionWords
		again.Set(got.String())
		if !slices.Equal(again, got) {
			t.Errorf("%q: %q is read as %q", in, got.String(), again)
		}
	}
	var o optionWords
	o.Set("a")
	o.Set("b,c")
	if !slices.Equal(o, []string{"a", "b", "c"}) {
		t.Errorf("two -o: %q", o)
	}
}

func TestEnvironmentIsTakenOutOfOptions(t *testing.T) {
	env, rest, err := optionWords{"ro", "env.A=1", "env.B_2=x=y", "env.C=", "uid=3"}.takeEnv()
	if err != nil || !reflect.DeepEqual(env, []string{"A=1", "B_2=x=y", "C="}) || !slices.Equal(rest, []string{"ro", "uid=3"}) {
		t.Errorf("%q, %q, %v", env, rest, err)
	}
	for _, bad := range []string{"env.A", "env.", "env.=x", "env.A B=x", "env.1=x"} {
		if env, _, err := (optionWords{bad}).takeEnv(); err == nil {
			t.Errorf("%s: sets %q", bad, env)
		}
	}
}
