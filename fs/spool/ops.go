package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// opLog is the journal of mutations that have no bytes in the spool, and of uploads.
// Recovery has nothing to finish for them: it has to know which keys may still change by
// themselves, and which uploads nobody will complete any more.
type opLog struct {
	mu   sync.Mutex
	file DiskFile
	end  int64
	open int // begun and not ended
}

// opsCompact is the length from which the log is emptied when nothing in it is open.
const opsCompact = 64 << 10

func openOps(fsys FS, name string) (*opLog, error) {
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = fsys.Create(name)
	}
	if err != nil {
		return nil, err
	}
	end, err := f.Size()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &opLog{file: f, end: end}, nil
}

func (l *opLog) append(k kind, v any) error {
	rec, err := encode(k, v)
	if err != nil {
		return err
	}
	if _, err := l.file.WriteAt(rec, l.end); err != nil {
		_ = l.file.Truncate(l.end)
		return diskError(err)
	}
	l.end += int64(len(rec))
	return nil
}

func (l *opLog) close() error { return l.file.Close() }

// Begin records a mutation that is about to be sent, or an upload that has its id and no
// part yet. The returned function records that its outcome is known; for an upload, that
// it was completed or aborted.
func (s *Spool) Begin(op Op) (end func(), err error) {
	l := s.ops
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.append(kindBegin, op); err != nil {
		return nil, fmt.Errorf("recording a %s of %q in the spool: %w", op.Kind, op.Key, err)
	}
	l.open++
	return func() { l.finish(op.end()) }, nil
}

// finish records the end. A failure is harmless: after a crash the key only waits longer, or
// an upload is aborted that does not exist any more.
func (l *opLog) finish(end opEnd) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.append(kindEnd, end)
	l.open--
	if l.open == 0 && l.end >= opsCompact && l.file.Truncate(0) == nil {
		l.end = 0
	}
}

// readOps returns the operations that were begun and not ended.
func readOps(fsys FS, name string) ([]Op, error) {
	b, err := readAll(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unreadError{err}
	}
	open := make(map[opEnd]Op)
	var order []opEnd
	for len(b) > 0 {
		k, p, n := decode(b)
		if n == 0 {
			break // torn: its request was never sent
		}
		b = b[n:]
		switch k {
		case kindBegin:
			var op Op
			if err := unmarshal(p, &op); err != nil {
				return nil, err
			}
			open[op.end()] = op
			order = append(order, op.end())
		case kindEnd:
			var end opEnd
			if err := unmarshal(p, &end); err != nil {
				return nil, err
			}
			delete(open, end)
		}
	}
	var out []Op
	for _, end := range order {
		if op, ok := open[end]; ok {
			out = append(out, op)
		}
	}
	return out, nil
}

func readAll(fsys FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return b[:n], nil
}
