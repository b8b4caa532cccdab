package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every guarantee of docs/SEMANTICS.md is named by a test of the whole program.
func TestEveryGuaranteeHasATest(t *testing.T) {
	doc, err := os.ReadFile("../docs/SEMANTICS.md")
	if err != nil {
		t.Fatal(err)
	}
	promised := regexp.MustCompile(`(?m)^\*\*(G\d+)\.`).FindAllStringSubmatch(string(doc), -1)
	if len(promised) != 9 {
		t.Errorf("%d guarantees were found, there are 9", len(promised))
	}
	var comments strings.Builder
	err = filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		comments.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range promised {
		if !regexp.MustCompile(`// SEMANTICS (G\d, )*` + g[1] + `\b`).MatchString(comments.String()) {
			t.Errorf("no test says // SEMANTICS %s", g[1])
		}
	}
}
