package integration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link     = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`)
	goName   = regexp.MustCompile(`^(?:([A-Z]\w*)\.)?([A-Za-z]\w*)$`)
	locksRef = regexp.MustCompile(`LOCKS (P\d+)`)
)

// TestDocsLinks: what a document links to is there, and where the link is called as a
// function or method of a Go file, the file has it.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	links := 0
	for _, doc := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(readText(t, doc), -1) {
			text, target := m[1], m[2]
			if strings.Contains(target, "://") {
				continue
			}
			links++
			target, _, _ = strings.Cut(target, "#")
			path := filepath.Join(filepath.Dir(doc), target)
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: the link %q leads to %s, which is not there", doc, text, target)
				continue
			}
			if name := goName.FindStringSubmatch(text); name != nil && filepath.Ext(path) == ".go" && !declares(t, path, name[1], name[2]) {
				t.Errorf("%s: %s has no %s", doc, target, text)
			}
		}
	}
	if links < 40 {
		t.Errorf("only %d links were found", links)
	}
}

// TestDocsLocks: each paragraph of docs/LOCKS.md that a comment names is there.
func TestDocsLocks(t *testing.T) {
	t.Parallel()
	doc := readText(t, "../docs/LOCKS.md")
	found := 0
	for _, dir := range []string{"../fs", "../internal", "../lockmgr", "../store", "."} {
		err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case e.IsDir() && (e.Name() == ".venv" || e.Name() == "node_modules"):
				return filepath.SkipDir
			case filepath.Ext(path) != ".go":
				return nil
			}
			for _, m := range locksRef.FindAllStringSubmatch(readText(t, path), -1) {
				found++
				if !strings.Contains(doc, "\n## "+m[1]+" ") {
					t.Errorf("%s names LOCKS %s, which is not in docs/LOCKS.md", path, m[1])
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 20 {
		t.Errorf("only %d comments name a paragraph", found)
	}
}

func documents(t *testing.T) []string {
	docs, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(docs, "../README.md", "../CHANGELOG.md")
}

func readText(t *testing.T, path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// declares tells whether a Go file has the method, or without a receiver the function.
func declares(t *testing.T, path, receiver, name string) bool {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Name.Name != name {
			continue
		}
		if fn.Recv == nil {
			return receiver == ""
		}
		of := fn.Recv.List[0].Type
		if p, ok := of.(*ast.StarExpr); ok {
			of = p.X
		}
		if id, ok := of.(*ast.Ident); ok && id.Name == receiver {
			return true
		}
	}
	return false
}
