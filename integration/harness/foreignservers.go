package harness

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Where the Makefile installs the servers that nobody here wrote.
const (
	venv       = "integration/.venv"
	goPrograms = "bin/servers"
)

// A foreignServer is how to start an S3 server that nobody here wrote.
type foreignServer struct {
	program string // path below the source
	module  string // whose version is the server's: a Go module, or a Python package
	command func(program, dir, port string) *exec.Cmd
}

// They listen on the loopback interface alone, take anyKeys, and write below dir.
var foreignServers = map[string]foreignServer{
	"MinIO": {goPrograms + "/minio", "github.com/minio/minio", func(program, dir, port string) *exec.Cmd {
		cmd := exec.Command(program, "server", "--quiet", "--address", "127.0.0.1:"+port, filepath.Join(dir, "data"))
		cmd.Env = []string{"MINIO_ROOT_USER=" + anyKeys.AccessKey, "MINIO_ROOT_PASSWORD=" + anyKeys.SecretKey,
			"MINIO_BROWSER=off", "MINIO_UPDATE=off"}
		return cmd
	}},
	"versitygw posix": {goPrograms + "/versitygw", "github.com/versity/versitygw", func(program, dir, port string) *exec.Cmd {
		return exec.Command(program, "--port", "127.0.0.1:"+port, "--access", anyKeys.AccessKey, "--secret", anyKeys.SecretKey,
			"--keep-alive", "--quiet", "posix", "--versioning-dir", filepath.Join(dir, "versions"), filepath.Join(dir, "data"))
	}},
	"gofakes3": {goPrograms + "/gofakes3", "github.com/johannesboyne/gofakes3", func(program, _, port string) *exec.Cmd {
		return exec.Command(program, "127.0.0.1:"+port)
	}},
	"moto": {venv + "/bin/moto_server", "moto", func(program, _, port string) *exec.Cmd {
		return exec.Command(program, "-H", "127.0.0.1", "-p", port)
	}},
	"ministack": {venv + "/bin/ministack", "ministack", func(program, _, port string) *exec.Cmd {
		cmd := exec.Command(program)
		cmd.Env = []string{"BIND_HOST=127.0.0.1", "GATEWAY_PORT=" + port}
		return cmd
	}},
}

// ForeignServer starts an S3 server that nobody here wrote: MinIO, versitygw posix, gofakes3, moto or
// ministack. It has a directory of its own and ends with the test.
func (e *Env) ForeignServer(name string) Endpoint {
	e.Helper()
	f, ok := foreignServers[name]
	if !ok {
		e.Fatalf("no server is called %q", name)
	}
	program, err := e.Suite.tool(f.program)
	e.Must(err)
	port, err := freePort()
	e.Must(err)
	dir := filepath.Join(e.Dir, "server-"+fileName(name))
	for _, d := range []string{"data", "versions"} {
		e.Must(os.MkdirAll(filepath.Join(dir, d), 0o700))
	}
	c, err := startChild(dir, name, f.command(program, dir, port))
	e.Must(err)
	e.servers = append(e.servers, c)
	server := atPort(port)
	e.Must(c.ready(func() error {
		if err := answers(server.URL); err != nil {
			return err
		}
		// Some answer before they can serve a bucket.
		_, err := NewClient(server, "").ListBuckets(e.Timeout(10*time.Second), nil)
		return err
	}))
	return server
}

// ForeignVersion is the version of that server that is installed.
func (s *Suite) ForeignVersion(name string) (string, error) {
	f, ok := foreignServers[name]
	if !ok {
		return "", fmt.Errorf("no server is called %q", name)
	}
	program, err := s.tool(f.program)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(f.program, venv) {
		python := filepath.Join(filepath.Dir(program), "python")
		out, err := exec.Command(python, "-c", "import importlib.metadata as m; print(m.version('"+f.module+"'))").Output()
		return strings.TrimSpace(string(out)), err
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", err
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == f.module {
			return m.Version, nil
		}
	}
	return "", fmt.Errorf("%s does not name the version of %s", f.program, f.module)
}
