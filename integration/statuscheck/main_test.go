package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const events = `{"Action":"start","Package":"github.com/latchfs/latchfs/fs/file"}
{"Action":"run","Package":"github.com/latchfs/latchfs/fs/file","Test":"TestA"}
{"Action":"output","Package":"github.com/latchfs/latchfs/fs/file","Test":"TestA","Output":"=== RUN TestA\n"}
{"Action":"pass","Package":"github.com/latchfs/latchfs/fs/file","Test":"TestA","Elapsed":1}
{"Action":"pass","Package":"github.com/latchfs/latchfs/fs/file","Elapsed":1.5}
{"Action":"run","Package":"github.com/latchfs/latchfs/integration/localserver/flatstore","Test":"TestB/part"}
{"Action":"pass","Package":"github.com/latchfs/latchfs/integration/localserver/flatstore","Test":"TestB/part"}
{"Action":"pass","Package":"github.com/latchfs/latchfs/integration/localserver/flatstore"}
`

func TestRun(t *testing.T) {
	const heading = "# Status\n\n| line of the issue | test | last result |\n| --- | --- | --- |\n"
	const last = `{"Action":"output","Package":"p","Test":"TestX","Output":"the reason\n"}` + "\n"
	tests := []struct {
		name, rows, more string
		ok               bool
		says             string
	}{
		{"all there", "| one | fs/file.TestA | |\n| two | `fs/file.TestA`, flatstore.TestB/part | ok |\n| three | missing | |\n", "", true, "3 promises and 0 mutations, 1 without a test"},
		{"a mutation that is killed", "| one | fs/file.TestA | |\n\n| mutation | killed by |\n| --- | --- |\n| `a` is b | fs/file.TestA |\n", "", true, "1 promises and 1 mutations, 0 without a test"},
		{"a mutation that no test kills", "| one | fs/file.TestA | |\n\n| mutation | killed by |\n| --- | --- |\n| `a` is b | fs/file.TestGone |\n", "", false, `there is no test "fs/file.TestGone"`},
		{"no such test", "| one | fs/file.TestGone | |\n", "", false, `there is no test "fs/file.TestGone"`},
		{"soak tests run elsewhere", "| one | integration.TestSoakStream | |\n", "", true, ""},
		{"long tests run elsewhere", "| one | integration.TestLongStream/part | |\n", "", true, ""},
		{"no such long test", "| one | integration.TestLongGone | |\n", "", false, "integration.TestLongGone"},
		{"no such soak test", "| one | integration.TestSoakGone | |\n", "", false, "integration.TestSoakGone"},
		{"failed test", "| one | missing | |\n", `{"Action":"run","Package":"p","Test":"TestX"}` + "\n" + last + `{"Action":"fail","Package":"p","Test":"TestX"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n", false, "the reason"},
		{"failed test that passes in another run", "| one | p.TestX | |\n", last + `{"Action":"fail","Package":"p","Test":"TestX"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n" + `{"Action":"run","Package":"p","Test":"TestX"}` + "\n" + `{"Action":"pass","Package":"p","Test":"TestX"}` + "\n" + `{"Action":"pass","Package":"p"}` + "\n", false, "p.TestX ended with fail"},
		{"skipped test", "| one | p.TestX | |\n", last + `{"Action":"skip","Package":"p","Test":"TestX"}` + "\n" + `{"Action":"pass","Package":"p"}` + "\n", false, "p.TestX ended with skip"},
		{"test that never ended", "| one | p.TestX | |\n", `{"Action":"run","Package":"p","Test":"TestX"}` + "\n" + last, false, "p.TestX ended with run"},
		{"package that ended early", "| one | fs/file.TestA | |\n", `{"Action":"start","Package":"p"}` + "\n", false, "FAIL p"},
		{"failed once of two runs", "| one | p.FuzzX | |\n", last + `{"Action":"fail","Package":"p","Test":"FuzzX"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n" + `{"Action":"run","Package":"p","Test":"FuzzX"}` + "\n" + `{"Action":"pass","Package":"p","Test":"FuzzX"}` + "\n" + `{"Action":"pass","Package":"p"}` + "\n", false, "p.FuzzX ended with fail"},
		{"a run without a test that failed, and another one", "| one | p.FuzzX | |\n", `{"Action":"fail","Package":"p"}` + "\n" + `{"Action":"pass","Package":"p","Test":"FuzzX"}` + "\n" + `{"Action":"pass","Package":"p"}` + "\n", false, "FAIL p"},
		{"build failure", "| one | fs/file.TestA | |\n", `{"Action":"build-output","ImportPath":"p","Output":"undefined: x\n"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n", false, "undefined: x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			status, file := filepath.Join(dir, "docs", "STATUS.md"), filepath.Join(dir, "out.json")
			for name, text := range map[string]string{
				status: heading + tt.rows,
				file:   events + tt.more,
				filepath.Join(dir, "integration", "soak_test.go"): "func TestSoakStream(t *testing.T) {}\nfunc TestLongStream(t *testing.T) {}",
			} {
				if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out strings.Builder
			ok, err := run(&out, status, []string{file})
			if err != nil || ok != tt.ok || !strings.Contains(out.String(), tt.says) {
				t.Errorf("%v, %v, %s; want %v and %q", ok, err, out.String(), tt.ok, tt.says)
			}
		})
	}
}

func TestRecord(t *testing.T) {
	const heading = "# Status\n\n| line of the issue | test | last result |\n| --- | --- | --- |\n"
	dir := t.TempDir()
	status, file := filepath.Join(dir, "STATUS.md"), filepath.Join(dir, "out.json")
	table := heading + "| one | fs/file.TestA, flatstore.TestB/part | |\n| two | missing | |\n| three | fs/file.TestA, integration.TestSoakX | old |\n\n| mutation | killed by |\n| --- | --- |\n| one | fs/file.TestA |\n"
	for name, text := range map[string]string{status: table, file: events} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := recordResults(status, []string{file}, "2026-11-22 pass"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(status)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(table, "part | |", "part | 2026-11-22 pass |", 1); string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
