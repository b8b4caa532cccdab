package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
)

// opLog is the journal of mutations that have no bytes in the spool, and of uploads.
// Recovery has nothing to finish for them: it has to know which keys may still change by
// themselves, and which uploads nobody will complete any more.
type opLog struct {
	fs    FS
	name  string
	count func(n int64) // what the log takes of the spool, more or less than before

	mu   sync.Mutex
	file DiskFile
	end  int64
	open map[opEnd][]byte // the records of what has begun and not ended
	live int64            // bytes of those
}

// opsCompact is the length from which the log is written anew without what has ended.
const opsCompact = 64 << 10

func openOps(fsys FS, name string, count func(n int64)) (*opLog, error) {
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
	count(end)
	return &opLog{fs: fsys, name: name, count: count, file: f, end: end, open: make(map[opEnd][]byte)}, nil
}

func (l *opLog) append(rec []byte) error {
	if _, err := l.file.WriteAt(rec, l.end); err != nil {
		_ = l.file.Truncate(l.end)
		return diskError(err)
	}
	l.grow(int64(len(rec)))
	return nil
}

func (l *opLog) grow(n int64) {
	l.end += n
	l.count(n)
}

func (l *opLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// Begin records a mutation that is about to be sent, or an upload that has its id and no
// part yet. The returned function records that its outcome is known; for an upload, that
// it was completed or aborted.
func (s *Spool) Begin(op Op) (end func(), err error) {
	l := s.ops
	l.mu.Lock()
	defer l.mu.Unlock()
	rec, err := encode(kindBegin, op)
	if err == nil {
		err = l.append(rec)
	}
	if err != nil {
		return nil, fmt.Errorf("recording a %s of %q in the spool: %w", op.Kind, op.Key, err)
	}
	l.open[op.end()] = rec
	l.live += int64(len(rec))
	return func() { l.finish(op.end()) }, nil
}

// finish records the end. A failure is harmless: after a crash the key only waits longer, or
// an upload is aborted that does not exist any more.
func (l *opLog) finish(end opEnd) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if rec, err := encode(kindEnd, end); err == nil {
		_ = l.append(rec)
	}
	l.live -= int64(len(l.open[end]))
	delete(l.open, end)
	if l.end >= max(opsCompact, 2*l.live) {
		_ = l.compact() // the log goes on as it is
	}
}

// compact writes the log anew, with what is open alone. The new file takes the name when it is
// whole: a crash leaves one of the two.
func (l *opLog) compact() error {
	next := l.name + ".new"
	if err := l.fs.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := l.fs.Create(next)
	if err != nil {
		return err
	}
	var end int64
	for _, rec := range l.open {
		if _, err = f.WriteAt(rec, end); err != nil {
			break
		}
		end += int64(len(rec))
	}
	if err == nil {
		err = l.fs.Rename(next, l.name)
	}
	if err != nil {
		f.Close()
		return errors.Join(err, l.fs.Remove(next))
	}
	closeAll(l.file)
	l.file = f
	l.grow(end - l.end)
	return nil
}

// readOps returns the operations that were begun and not ended.
func readOps(fsys FS, name string) ([]Op, error) {
	r, err := openRecords(fsys, name)
	if err != nil {
		return nil, err
	}
	defer r.close()
	open := make(map[opEnd]Op)
	var order []opEnd
	for off := int64(0); ; {
		k, p, n, err := r.decode(off)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break // torn: its request was never sent
		}
		off += n
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
			delete(open, end)
		}
	}
	return out, nil
}
