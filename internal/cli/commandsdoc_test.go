package cli

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// docs/COMMANDS.md has a part for each of these commands, with all its flags and all names of its
// output; the help has these names, too.
func TestCommandsDoc(t *testing.T) {
	text, err := os.ReadFile("../../docs/COMMANDS.md")
	if err != nil {
		t.Fatal(err)
	}
	json := map[string][]any{"log": {logLine{}, deletedLine{}}, "diff": {diffLine{}}, "cat": nil,
		"label": {labelLine{}}, "prune": {pruneLine{}}, "lifecycle": {lifecycleLine{}}}
	for name, lines := range json {
		_, part, ok := strings.Cut(string(text), "\n## "+name+"\n")
		part, _, _ = strings.Cut(part, "\n## ")
		if !ok {
			t.Errorf("no part for %s", name)
		}
		_, help, _ := run(t, name, "--help")
		for _, cmd := range commands(nil, Stdio{}) {
			if cmd.Name != name {
				continue
			}
			for _, f := range cmd.Flags[:len(cmd.Flags)-len(accessFlags())] {
				flag := "--" + f.Names()[0]
				if len(f.Names()[0]) == 1 {
					flag = flag[1:]
				}
				if !strings.Contains(part, flag) {
					t.Errorf("%s: %s is not in docs/COMMANDS.md", name, flag)
				}
			}
		}
		for i, l := range lines {
			for f := range reflect.TypeOf(l).Fields() {
				field, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if !strings.Contains(part, "`"+field+"`") {
					t.Errorf("%s: %s of --json is not in docs/COMMANDS.md", name, field)
				}
				if i == 0 && !strings.Contains(help, field) {
					t.Errorf("%s: %s of --json is not in the help", name, field)
				}
			}
		}
	}
}
