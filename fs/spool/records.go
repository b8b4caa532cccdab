package spool

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
)

// window is how much of a journal is read at a time.
const window = 64 << 10

// records reads a journal in pieces, so that its memory does not grow with the journal.
type records struct {
	file DiskFile // nil: there is none
	size int64
	at   int64 // where buf stands in the journal
	buf  []byte
}

// openRecords opens a journal for reading; one that is not there has no records.
func openRecords(fsys FS, name string) (*records, error) {
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &records{}, nil
	}
	if err != nil {
		return nil, unreadError{err}
	}
	size, err := f.Size()
	if err != nil {
		f.Close()
		return nil, unreadError{err}
	}
	return &records{file: f, size: size}, nil
}

func (r *records) close() { closeAll(r.file) }

// view gives n bytes at off, or fewer at the end of the journal. They are valid until the next
// call. Its errors are those of the disk.
func (r *records) view(off, n int64) ([]byte, error) {
	n = min(n, r.size-off)
	if n <= 0 {
		return nil, nil
	}
	if off < r.at || off+n > r.at+int64(len(r.buf)) {
		// More than was asked for, since a search for records moves on by single bytes.
		want := min(n+window, r.size-off)
		if int64(cap(r.buf)) < want {
			r.buf = make([]byte, want)
		}
		m, err := r.file.ReadAt(r.buf[:want], off)
		if err != nil && err != io.EOF {
			r.buf = r.buf[:0]
			return nil, unreadError{err}
		}
		r.at, r.buf = off, r.buf[:m]
		n = min(n, int64(m))
	}
	return r.buf[off-r.at:][:n], nil
}

// decode reads the record at off. n is its length; 0 means that there is no whole and sound
// record. The payload is valid until the next call.
func (r *records) decode(off int64) (k kind, payload []byte, n int64, err error) {
	head, err := r.view(off, recordHead)
	if err != nil || len(head) < recordHead {
		return 0, nil, 0, err
	}
	size := binary.LittleEndian.Uint32(head)
	if size > maxRecord {
		return 0, nil, 0, nil
	}
	b, err := r.view(off, recordHead+int64(size))
	if err != nil {
		return 0, nil, 0, err
	}
	k, payload, m := decode(b)
	return k, payload, int64(m), nil
}

// search finds a sound record at from or after it for which found holds. likely tells, before a
// record is looked at wholly, whether its kind is worth it.
func (r *records) search(from int64, likely func(kind) bool, found func(k kind, payload []byte) bool) (bool, error) {
	for i := from; i+recordHead <= r.size; i++ {
		head, err := r.view(i, recordHead)
		if err != nil || len(head) < recordHead {
			return false, err
		}
		if !likely(kind(head[8])) {
			continue
		}
		k, p, n, err := r.decode(i)
		if err != nil {
			return false, err
		}
		if n > 0 && found(k, p) {
			return true, nil
		}
	}
	return false, nil
}

// dropped tells whether the journal says that nothing of the file is needed any more.
func (r *records) dropped() (bool, error) {
	for off := int64(0); ; {
		k, _, n, err := r.decode(off)
		if err != nil || n == 0 || k == kindDropped {
			return n > 0, err
		}
		off += n
	}
}

// promised tells whether any sound record after bad says that the journal had been synced
// beyond bad.
func (r *records) promised(bad int64) (bool, error) {
	return r.search(bad, func(k kind) bool { return k == kindSynced }, func(k kind, p []byte) bool {
		var s synced
		return unmarshal(p, &s) == nil && s.Upto > bad
	})
}

// followed tells whether any sound record stands after the one at bad.
func (r *records) followed(bad int64) (bool, error) {
	return r.search(bad+1, func(k kind) bool { return k >= kindOpen && k <= lastKind }, func(kind, []byte) bool { return true })
}

// empty tells whether the journal holds no sound record but perhaps its first.
func (r *records) empty() (bool, error) {
	for _, holds := range []func(int64) (bool, error){r.promised, r.followed} {
		if yes, err := holds(0); yes || err != nil {
			return false, err
		}
	}
	return true, nil
}
