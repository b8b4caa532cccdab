package iam

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sent lists the requests that the Go files of a package send: each has an input of the SDK.
func sent(t *testing.T, dir, sdk string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".go" || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				pkg, _ := s.X.(*ast.Ident)
				if name, input := strings.CutSuffix(s.Sel.Name, "Input"); input && pkg != nil && pkg.Name == sdk {
					found[name] = true
				}
			}
			return true
		})
	}
	var names []string
	for name := range found {
		names = append(names, name)
	}
	return slices.Sorted(slices.Values(names))
}

// Each request that the code sends is in the table, and the table has no other.
func TestTableHoldsTheRequests(t *testing.T) {
	for _, c := range []struct {
		dir, sdk string
		on       []Resource
	}{
		{"../../store", "s3", []Resource{Bucket, Objects}},
		{"../../lockmgr/s3table", "s3", []Resource{LockBucket, LockObjects}},
		{"../../lockmgr/dynamo", "dynamodb", []Resource{LockTable}},
	} {
		var table []string
		for _, a := range On(c.on...) {
			for _, r := range a.Requests {
				name, _, _ := strings.Cut(r, " ")
				// doctor looks at the bucket of a lock table through package store.
				if a.For != Care || !slices.Contains(c.on, LockBucket) {
					table = append(table, name)
				}
			}
		}
		slices.Sort(table)
		table = slices.Compact(table)
		if got := sent(t, c.dir, c.sdk); !slices.Equal(got, table) || len(got) < 4 {
			t.Errorf("%s sends %q, and the table has %q", c.dir, got, table)
		}
	}
}

// An action stands once for each resource, and says what for.
func TestTableIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range Actions() {
		id := a.Name + a.On.ARN(Names{"b", "locks", "eu-central-1"})
		if seen[id] || a.To == "" || a.For == 0 || len(a.Requests) == 0 && a.On != Key {
			t.Errorf("%+v", a)
		}
		seen[id] = true
		want := map[Resource]string{LockTable: "dynamodb", Key: "kms"}[a.On]
		if want == "" {
			want = "s3"
		}
		if a.Service() != want {
			t.Errorf("%s is on %s", a.Name, a.On.ARN(Names{}))
		}
		if a.For.Has(Read) && !a.For.Has(Write) {
			t.Errorf("%s: what a read-only mount needs every mount does", a.Name)
		}
	}
}

func TestARN(t *testing.T) {
	n := Names{Bucket: "b", LockTable: "locks", Region: "eu-central-1"}
	for r, want := range map[Resource]string{Bucket: "arn:aws:s3:::b", Objects: "arn:aws:s3:::b/*", LockBucket: "arn:aws:s3:::locks",
		LockObjects: "arn:aws:s3:::locks/*", LockTable: "arn:aws:dynamodb:eu-central-1:*:table/locks"} {
		if got := r.ARN(n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
