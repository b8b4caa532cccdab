package conformance

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

const dynamoRows = 22

// What the servers of the tests are known to get wrong. Nothing in latchfs may need it.
var (
	ministack = expectation{open: map[string]string{
		"q20": `^other key \+ other region: `,
		"q21": `^deletion protection `,
	}}
	dynalite = expectation{
		open: ministack.open,
		wrong: map[string]string{
			"q04": `no old item in the exception`,
			"q07": `UnknownOperationException`, // no transactions
			"q08": `UnknownOperationException`,
			"q12": `UnknownOperationException`, // no expiry of items
			"q19": `UnknownOperationException`,
		},
	}
)

// TestDynamoDB runs against LATCHFS_TEST_DYNAMODB, or else against both servers that
// make test installs.
func TestDynamoDB(t *testing.T) {
	if endpoint := os.Getenv("LATCHFS_TEST_DYNAMODB"); endpoint != "" {
		runDynamo(t, endpoint, ministack)
		return
	}
	t.Run("ministack", func(t *testing.T) {
		port := freePort(t)
		cmd := exec.Command(tool(t, "../.venv/bin/ministack"))
		cmd.Env = append(os.Environ(), "BIND_HOST=127.0.0.1", "GATEWAY_PORT="+port, "HOME="+t.TempDir())
		runDynamo(t, startDynamo(t, cmd, port), ministack)
	})
	t.Run("dynalite", func(t *testing.T) {
		port := freePort(t)
		cmd := exec.Command("node", tool(t, "../dynalite/node_modules/dynalite/cli.js"), "--host", "127.0.0.1", "--port", port,
			"--createTableMs", "0", "--deleteTableMs", "0", "--updateTableMs", "0")
		runDynamo(t, startDynamo(t, cmd, port), dynalite)
	})
}

func runDynamo(t *testing.T, endpoint string, known expectation) {
	// The keys look like those of AWS, since ministack checks their form.
	e := &dynamoServer{endpoint: endpoint, region: "us-east-1",
		c: newDDB(endpoint, "us-east-1", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")}
	n := 0
	for _, rows := range [][]row{e.items(), e.tables(), e.races()} {
		n += len(rows)
		run(t, rows, known)
	}
	if n != dynamoRows {
		t.Errorf("%d rows, want %d", n, dynamoRows)
	}
}

// tool gives the absolute path of a server that make test installs.
func tool(t *testing.T, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make test, which installs it", err)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// startDynamo starts a server and waits until it lists its tables.
func startDynamo(t *testing.T, cmd *exec.Cmd, port string) (endpoint string) {
	t.Helper()
	cmd.Dir = t.TempDir()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := os.Create(filepath.Join(cmd.Dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	endpoint = "http://127.0.0.1:" + port
	c := newDDB(endpoint, "us-east-1", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	for {
		_, err := c.ListTables(ctx, &dynamodb.ListTablesInput{})
		if err == nil {
			return endpoint
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(out.Name())
			t.Fatalf("%s does not answer: %v\n%s", cmd.Path, err, text)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
