package integration

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/latchfs/latchfs"

// mayImport says which packages of this module each package may import, by path from
// the module's root; a trailing /* stands for everything below. What is not named may
// import none.
var mayImport = map[string][]string{
	"":                     {"internal/cli"},
	"internal/cli":         {"store", "internal/doctor", "internal/gc", "internal/mount", "internal/volume", "internal/statedir", "internal/bytesize", "internal/logfile", "internal/procfs", "lockmgr", "fs/history", "internal/review", "internal/shell", "internal/when", "internal/change", "internal/restore", "fs/file", "internal/label", "internal/lifecycle", "internal/prune", "internal/wait"},
	"internal/mount":       {"internal/label", "fs", "fs/*", "store", "lockmgr", "internal/usernames", "internal/volume", "internal/registry", "internal/shell", "internal/statedir", "internal/bytesize", "internal/procfs", "internal/wait"},
	"internal/iam":         {},
	"internal/review":      {"fs/history", "store"},
	"internal/shell":       {},
	"internal/change":      {"internal/volume", "fs/file", "fs/lease", "lockmgr", "store"},
	"internal/gc":          {"internal/volume", "internal/statedir", "internal/wait", "fs/spool", "store", "lockmgr"},
	"internal/volume":      {"internal/iam", "store", "lockmgr", "lockmgr/*", "internal/awsclient", "internal/awserr", "internal/localserver", "internal/procfs", "internal/registry", "internal/shell", "internal/wait"},
	"fs":                   {"fs/*", "store", "lockmgr", "internal/procfs", "internal/seldom", "internal/when"},
	"fs/file":              {"fs/lease", "fs/spool", "fs/reader", "store", "lockmgr", "internal/procfs", "internal/seldom", "internal/wait"},
	"fs/lease":             {"lockmgr"},
	"fs/reader":            {"store", "internal/wait"},
	"fs/tree":              {"store"},
	"fs/history":           {"fs/tree", "store", "internal/when"},
	"fs/spool":             {"store", "internal/procfs"},
	"store":                {"internal/awserr", "internal/awsclient", "internal/count", "internal/wait"},
	"store/memstore":       {"store"},
	"store/faultstore":     {"store", "internal/wait"},
	"store/storetest":      {"store"},
	"lockmgr":              {"internal/seldom", "internal/wait"},
	"lockmgr/dynamo":       {"lockmgr", "internal/awserr", "internal/awsclient", "internal/count", "internal/wait"},
	"lockmgr/s3table":      {"lockmgr", "internal/awserr", "internal/awsclient", "internal/count"},
	"lockmgr/memtable":     {"lockmgr", "internal/count"},
	"lockmgr/tabletest":    {"lockmgr"},
	"internal/awsclient":   {"internal/awserr"},
	"internal/awserr":      {},
	"internal/bytesize":    {},
	"internal/count":       {},
	"internal/doctor":      {"store", "internal/lifecycle", "lockmgr", "fs/tree", "internal/iam", "internal/volume", "internal/localserver", "internal/wait"},
	"internal/localserver": {"internal/procfs", "internal/wait"},
	"internal/logfile":     {},
	"internal/procfs":      {},
	"internal/registry":    {},
	"internal/restore":     {"internal/change", "fs/file", "fs/history", "store"},
	"internal/seldom":      {},
	"internal/statedir":    {},
	"internal/wait":        {},
	"internal/label":       {"fs/file", "fs/history", "internal/when", "store"},
	"internal/lifecycle":   {"store", "internal/wait"},
	"internal/prune":       {"fs/file", "fs/history", "store"},
	"internal/usernames":   {},
	"internal/when":        {},
}

// Only these packages may import these modules.
var foreignImports = map[string][]string{
	"github.com/hanwen/go-fuse/": {"fs"},
	"github.com/aws/":            {"store", "lockmgr/dynamo", "lockmgr/s3table", "internal/awsclient", "internal/awserr", "internal/volume"},
	"github.com/urfave/":         {"internal/cli"},
	"github.com/rogpeppe/":       {"internal/review"},
	"github.com/anishathalye/":   {},
	"github.com/versity/":        {},
}

// TestLayers holds the imports of the module against docs/ARCHITECTURE.md, "Who may
// import whom". Tests and what is below integration are free.
func TestLayers(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if name == "integration" || strings.HasPrefix(name, "integration/") {
			continue
		}
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("package %s has no place in the layers: name it in mayImport", name)
		}
		for _, imp := range p.Imports {
			if own, ok := strings.CutPrefix(imp, module+"/"); ok && !matches(own, allowed) {
				t.Errorf("%s imports %s", p.ImportPath, imp)
			}
			for prefix, users := range foreignImports {
				if strings.HasPrefix(imp, prefix) && !slices.Contains(users, name) {
					t.Errorf("%s imports %s", p.ImportPath, imp)
				}
			}
		}
	}
}

func matches(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		dir, below := strings.CutSuffix(p, "*")
		return name == p || below && strings.HasPrefix(name, dir)
	})
}

// pinned are the versions that go.mod has to name: newer ones of the SDK cannot be had
// everywhere.
var pinned = map[string]string{
	"github.com/aws/aws-sdk-go-v2":                  "v1.47.7",
	"github.com/aws/aws-sdk-go-v2/config":           "v1.33.15",
	"github.com/aws/aws-sdk-go-v2/credentials":      "v1.20.15",
	"github.com/aws/aws-sdk-go-v2/service/dynamodb": "v1.73.1",
	"github.com/aws/aws-sdk-go-v2/service/s3":       "v1.114.8",
	"github.com/aws/smithy-go":                      "v1.28.8",
	"github.com/hanwen/go-fuse/v2":                  "v2.12.1",
	"github.com/urfave/cli/v2":                      "v2.27.7",
	"github.com/rogpeppe/go-internal":               "v1.16.0",
	"github.com/anishathalye/porcupine":             "v1.3.1",
}

// TestModules: there are exactly three modules, joined by nothing, and the main one's
// dependencies are the pinned ones.
func TestModules(t *testing.T) {
	var found []string
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", ".venv", "node_modules", "bin", "data", "mnt"}, d.Name()):
			return filepath.SkipDir
		case d.Name() == "go.work":
			t.Errorf("%s: there is to be no workspace", path)
		case d.Name() == "go.mod":
			found = append(found, filepath.Dir(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"..", "../integration/localserver", "../integration/servers/gofakes3"}; !slices.Equal(found, want) {
		t.Errorf("modules in %q, want %q", found, want)
	}
	for _, dir := range found {
		cmd := exec.Command("go", "mod", "edit", "-json")
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var mod struct {
			Replace []any
			Require []struct{ Path, Version string }
		}
		if err := json.Unmarshal(out, &mod); err != nil {
			t.Fatal(err)
		}
		if len(mod.Replace) > 0 {
			t.Errorf("%s/go.mod replaces %v", dir, mod.Replace)
		}
		for _, r := range mod.Require {
			if want, ok := pinned[r.Path]; dir == ".." && ok && r.Version != want {
				t.Errorf("%s is at %s, want %s", r.Path, r.Version, want)
			}
		}
	}
}
