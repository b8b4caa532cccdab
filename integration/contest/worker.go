package contest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// A Tally is what the program of one job on one mount reports.
type Tally struct {
	Done   int            // rounds that were answered with success
	Lines  []string       // what it was told is saved, or kept in a conflict file
	Errors map[string]int // rounds that failed, by error number
}

// Worker is the program that runs on a mount: job, directory, name of the host, how long, how large.
func Worker(args []string) int {
	job, dir, host := Job(args[0]), args[1], args[2]
	limit, err := time.ParseDuration(args[3])
	large, err2 := strconv.ParseInt(args[4], 10, 64)
	if err := errors.Join(err, err2); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	t := Tally{Errors: map[string]int{}}
	for n, end := 0, time.Now().Add(limit); time.Now().Before(end); n++ {
		line := fmt.Sprintf("%s %d\n", host, n)
		err := round(job, dir, line, n, large)
		var number syscall.Errno
		switch {
		case err == nil:
			t.Done++
		case errors.As(err, &number):
			t.Errors[number.Error()]++
		default:
			t.Errors[err.Error()]++
		}
		if job.saves() && (err == nil || errors.Is(err, errKept)) {
			t.Lines = append(t.Lines, line)
		}
		time.Sleep(mathrand.N(20 * time.Millisecond))
	}
	if err := json.NewEncoder(os.Stdout).Encode(t); err != nil {
		return 1
	}
	return 0
}

// errKept: the file was changed by somebody else, and close has kept what was written.
var errKept = errors.New("kept in a conflict file")

func round(job Job, dir, line string, n int, large int64) error {
	path := filepath.Join(dir, first)
	switch job {
	case Count:
		return addLine(path, line, 0)
	case Large:
		return addLine(path, line, large)
	case Chmod:
		if n%3 == 0 {
			stamp := time.Unix(int64(1_000_000+n), 0)
			return os.Chtimes(path, stamp, stamp)
		}
		return os.Chmod(path, 0o600+os.FileMode(n%2)*0o44)
	case Rename:
		// A rename that fails half-way leaves both names.
		files, err := os.ReadDir(dir)
		if err != nil || len(files) == 0 {
			return errors.Join(err, syscall.ENOENT)
		}
		return os.Rename(filepath.Join(dir, files[0].Name()), filepath.Join(dir, rand.Text()))
	default:
		return os.Remove(path)
	}
}

// addLine adds a line behind those that a file has, and gives the file a size; 0: that of its lines.
func addLine(path, line string, size int64) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	wrote := false
	defer func() {
		closed := f.Close()
		if wrote && err == nil && errors.Is(closed, syscall.ESTALE) {
			closed = fmt.Errorf("%w: %w", errKept, closed)
		}
		err = errors.Join(err, closed)
	}()
	lines, err := readLines(f)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(append(lines, line...), 0); err != nil {
		return err
	}
	wrote = true
	if size > 0 {
		return f.Truncate(size)
	}
	return nil
}

// readLines reads the lines of a file, behind which are zeros or nothing.
func readLines(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, mostLines))
	lines, _, _ := bytes.Cut(b, []byte{0})
	return lines, err
}
