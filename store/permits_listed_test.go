package store_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every place that changes the bucket without a lease, with the reason why it may. A new
// one is added here by whoever can say why no update is lost there.
var unleased = []string{
	`fs/file/keeper.go send: "a " + k.kind + " file with a new random name"`,
	`fs/file/unleased.go singleAttempt: "the lock table is out of reach"`,
	`internal/label/moment.go Remove: "a key that says all there is to say"`,
	`internal/label/moment.go Set: "a key that says all there is to say"`,
	`store/bucketconfig.go WriteBucketConfig: "bucket.json stands above the lock table that it names"`,
	`store/probe_scene.go -: "a random name below " + ProbePrefix`,
}

func TestUnleasedCallers(t *testing.T) {
	var found []string
	set := token.NewFileSet()
	for _, dir := range []string{"fs", "internal", "lockmgr", "store"} {
		err := filepath.WalkDir(filepath.Join("..", dir), func(name string, e fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel("..", name)
			for _, d := range file.Decls {
				for _, reason := range unleasedIn(d) {
					found = append(found, filepath.ToSlash(rel)+" "+nameOf(d)+": "+reason)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(found)
	if !slices.Equal(found, unleased) {
		t.Errorf("without a lease:\n%s\nwant:\n%s", strings.Join(found, "\n"), strings.Join(unleased, "\n"))
	}
}

// unleasedIn gives the reasons of the calls of Unleased in a declaration.
func unleasedIn(d ast.Decl) (reasons []string) {
	ast.Inspect(d, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return true
		}
		switch f := call.Fun.(type) {
		case *ast.Ident:
			ok = f.Name == "Unleased"
		case *ast.SelectorExpr:
			ok = f.Sel.Name == "Unleased"
		default:
			ok = false
		}
		if ok {
			reasons = append(reasons, written(call.Args[0]))
		}
		return true
	})
	return reasons
}

func nameOf(d ast.Decl) string {
	if f, ok := d.(*ast.FuncDecl); ok {
		return f.Name.Name
	}
	return "-"
}

// written writes the few expressions that a reason is made of.
func written(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Value
	case *ast.BinaryExpr:
		return written(e.X) + " " + e.Op.String() + " " + written(e.Y)
	case *ast.SelectorExpr:
		return written(e.X) + "." + e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return "?"
}
