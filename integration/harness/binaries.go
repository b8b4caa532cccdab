package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// binary gives the absolute path of a program under test: what the environment variable
// names, else the one built now from the directory dir of the source.
func (s *Suite) binary(variable, name, dir string) (string, error) {
	if p := os.Getenv(variable); p != "" {
		if !filepath.IsAbs(p) {
			p = filepath.Join(s.source, p)
		}
		if _, err := os.Stat(p); err != nil {
			return "", fmt.Errorf("%s: %w: run make build", variable, err)
		}
		return p, nil
	}
	bin := filepath.Join(s.root, "bin", name)
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", bin, ".")
	cmd.Dir = filepath.Join(s.source, dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s (make build does the same): %w\n%s", name, err, out)
	}
	return bin, nil
}

// Latchfs is the path of the program under test.
func (s *Suite) Latchfs() (string, error) {
	return s.latchfs.get(func() (string, error) { return s.binary("LATCHFS_BIN", "latchfs", ".") })
}

// LatchfsLocal is the path of the embedded server's program, in the same directory as
// Latchfs where both are built here.
func (s *Suite) LatchfsLocal() (string, error) {
	return s.local.get(func() (string, error) {
		return s.binary("LATCHFS_LOCAL_BIN", "latchfs-local", "integration/localserver/latchfs-local")
	})
}

// Backdate is the path of the program that makes the versions of an embedded server older.
func (s *Suite) Backdate() (string, error) {
	return s.backdate.get(func() (string, error) {
		return s.binary("LATCHFS_BACKDATE_BIN", "backdate", "integration/localserver/backdate")
	})
}
