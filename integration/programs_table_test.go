package integration

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// row is the program as the document has it.
func (p program) row() string {
	result := "works"
	if p.fails != "" {
		result = fmt.Sprintf("%s: `%s`; instead: `%s`", p.errno(), p.fails, p.around)
	}
	cells := []string{p.name, "`" + p.command + "`", result, p.versions}
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	return "| " + strings.Join(cells, " | ") + " |"
}

// errno names the cause that the message of a program speaks of.
func (p program) errno() string {
	for _, e := range []unix.Errno{unix.EPERM, unix.EXDEV, unix.ENOLCK, unix.EOPNOTSUPP} {
		if name := unix.ErrnoName(e); strings.Contains(p.fails, name) || strings.Contains(strings.ToLower(p.fails), e.Error()) {
			return "**" + name + "**"
		}
	}
	return "**fails**"
}

// TestProgramsTable: the document has the rows that are tried, word for word and in their order.
func TestProgramsTable(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	var want []string
	for _, g := range programs {
		want = append(want, "## "+g.title)
		if !declares(t, "programs_test.go", "", g.test) {
			t.Errorf("there is no test %s", g.test)
		}
		for _, p := range g.rows {
			if names[p.name] {
				t.Errorf("two rows are called %q", p.name)
			}
			names[p.name] = true
			want = append(want, p.row())
		}
	}
	got := regexp.MustCompile(`(?m)^(## .*|\| .*)$`).FindAllString(readText(t, "../docs/PROGRAMS.md"), -1)
	got = slices.DeleteFunc(got, func(l string) bool { return strings.HasPrefix(l, "| --") || strings.HasPrefix(l, "| name |") })
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("nothing that is tried is\n%s", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("docs/PROGRAMS.md lacks\n%s", line)
		}
	}
	if !t.Failed() && !slices.Equal(got, want) {
		t.Errorf("docs/PROGRAMS.md has the rows in another order than they are tried:\n%s", strings.Join(want, "\n"))
	}
}
