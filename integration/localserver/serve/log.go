package serve

import (
	"bufio"
	"io"
	"os"
	"sync"
)

const maxLog = 4 << 20

// A logWriter appends to a file, which it begins anew when it gets too long: its
// content until then goes to a second file beside it.
type logWriter struct {
	path string

	mu   sync.Mutex
	file *os.File
	size int64
}

func openLog(path string) (*logWriter, error) {
	w := &logWriter{path: path}
	return w, w.open()
}

func (w *logWriter) open() error {
	f, err := os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	i, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	w.file, w.size = f, i.Size()
	return nil
}

func (w *logWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.size+int64(len(b)) > maxLog && w.size > 0 {
		if err := os.Rename(w.path, w.path+".old"); err != nil {
			return 0, err
		}
		w.file.Close()
		if err := w.open(); err != nil {
			return 0, err
		}
	}
	n, err := w.file.Write(b)
	w.size += int64(n)
	return n, err
}

func (w *logWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.file.Close()
}

// keepPrinted writes the lines of r to a log until r ends. Whoever prints must not wait: what cannot be
// written is lost.
func keepPrinted(log io.Writer, r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadSlice('\n') // one that is longer than the buffer comes in parts
		_, _ = log.Write(line)
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}
