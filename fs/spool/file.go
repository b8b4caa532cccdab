package spool

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"slices"
	"sync"

	"github.com/latchfs/latchfs/store"
)

// A File holds what was written to one file since it was last equal to its base.
type File struct {
	s             *Spool
	dir           string
	header        Header
	data, journal DiskFile

	mu struct {
		sync.Mutex
		content
		// shared: a snapshot has the same list of extents, so it is copied before the
		// next change.
		shared   bool
		end      int64           // of the data file
		journal  int64           // end of the journal
		longest  int64           // no seal is much longer than this record
		pending  []store.WriteID // seals that have not landed, each after the one before it
		reserved int64           // up to where the disk has room for the journal
		counted  int64           // what the journal takes of the spool's limit
		unsynced bool
		dropped  bool
	}
}

// create makes the files. The journal comes first, so that there is no data without one.
func (f *File) create() (err error) {
	if err = f.s.fs.Mkdir(f.dir); err != nil {
		return err
	}
	if f.journal, err = f.s.fs.Create(filepath.Join(f.dir, journalName)); err != nil {
		return err
	}
	if err = f.record(kindOpen, f.header); err != nil {
		return err
	}
	f.mu.longest = f.mu.journal
	if err = f.reserve(recordHead + writeSize); err != nil {
		return err
	}
	f.data, err = f.s.fs.Create(filepath.Join(f.dir, dataName))
	return err
}

// own makes the list of extents ours alone before it is changed. f.mu is held.
func (f *File) own() {
	if f.mu.shared {
		f.mu.content = f.mu.clone()
		f.mu.shared = false
	}
}

// WriteAt accepts p at offset off. After an error nothing of p was accepted; a full disk
// or spool is ErrNoSpace.
func (f *File) WriteAt(p []byte, off int64) error {
	if len(p) == 0 {
		return nil
	}
	n := int64(len(p))
	if err := f.s.reserve(n); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	w := write{extent: extent{off: off, len: n, data: f.mu.end}, sum: crc32.Checksum(p, castagnoli)}
	err := f.reserve(recordHead + writeSize)
	if err == nil {
		_, err = f.data.WriteAt(p, f.mu.end)
	}
	if err == nil {
		err = f.append(w.encode())
	}
	if err != nil {
		_ = f.data.Truncate(f.mu.end) // gives the room back that part of p has taken
		f.s.unreserve(n)
		return fmt.Errorf("writing to the spool: %w", diskError(err))
	}
	f.mu.end += n
	f.own()
	f.mu.write(w.extent)
	return nil
}

// Truncate sets the size; what it gains reads as zero.
func (f *File) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.accept(kindTruncate, truncation{size}); err != nil {
		return fmt.Errorf("truncating in the spool: %w", err)
	}
	f.own()
	f.mu.truncate(size)
	return nil
}

// Attributes accepts another set of properties for the next version, as chmod, chown or
// utimens asked for them. The next seal, which has them, covers this. After an error
// nothing was accepted; a full disk is ErrNoSpace.
func (f *File) Attributes(props store.Props) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.accept(kindAttributes, props); err != nil {
		return fmt.Errorf("recording the attributes of %q in the spool: %w", f.header.Key, err)
	}
	return nil
}

// accept records a change without bytes, so that it can be sealed later. f.mu is held.
func (f *File) accept(k kind, v any) error {
	rec, err := encode(k, v)
	if err != nil {
		return err
	}
	n := int64(len(rec))
	f.mu.longest = max(f.mu.longest, n)
	if err := f.reserve(n); err != nil {
		return diskError(err)
	}
	return f.append(rec)
}

// ReadAt reads what the file holds now. Where nothing was written it asks base. At the
// end of the file it returns fewer bytes and no error.
func (f *File) ReadAt(ctx context.Context, p []byte, off int64, base Base) (int, error) {
	f.mu.Lock()
	segs := f.mu.segments(off, int64(len(p)))
	f.mu.Unlock()
	return fill(ctx, p, off, segs, f.data, base)
}

// Size is the size of the file now.
func (f *File) Size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.size
}

// Local is the number of bytes that the data file holds, overwritten ones included.
func (f *File) Local() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.end
}

// Garbage is the number of bytes in the data file that were overwritten or cut off.
func (f *File) Garbage() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.end - f.mu.local()
}

// Snapshot returns what the file holds now; later writes do not change it.
func (f *File) Snapshot() Snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.shared = true
	return Snapshot{content: f.mu.content, data: f.data}
}

// Seal records that the content as it is now is to be saved, and returns it. Seals land in
// the order in which they were made.
func (f *File) Seal(seal Seal) (Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.record(kindSeal, seal); err != nil {
		return Snapshot{}, fmt.Errorf("sealing %q in the spool: %w", f.header.Key, err)
	}
	f.mu.pending = append(f.mu.pending[:slices.Index(f.mu.pending, seal.After)+1], seal.ID)
	f.mu.shared = true
	return Snapshot{content: f.mu.content, data: f.data}, nil
}

// Sync makes everything accepted before the call survive a power cut. Data comes first:
// a journal that is on the disk is not to speak of bytes that are not.
func (f *File) Sync() error {
	f.mu.Lock()
	unsynced, upto := f.mu.unsynced, f.mu.journal
	f.mu.unsynced = false
	f.mu.Unlock()
	if !unsynced {
		return nil
	}
	err := f.sync()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.mu.unsynced = true
		return fmt.Errorf("syncing the spool file of %q: %w", f.header.Key, diskError(err))
	}
	// Not synced itself: its only use is to tell a torn tail from a damaged journal.
	unsynced = f.mu.unsynced
	err = f.record(kindSynced, synced{upto})
	f.mu.unsynced = unsynced
	return err
}

func (f *File) sync() error {
	if err := f.data.Sync(); err != nil {
		return err
	}
	if err := f.journal.Sync(); err != nil {
		return err
	}
	if err := f.s.fs.SyncDir(f.dir); err != nil {
		return err
	}
	return f.s.fs.SyncDir(f.s.dir)
}

// Drop removes the file: what it holds is in the bucket, or nobody can ask for it.
func (f *File) Drop() error {
	f.mu.Lock()
	if f.mu.dropped {
		f.mu.Unlock()
		return nil
	}
	err := f.record(kindDropped, nil)
	f.mu.dropped = true
	n := f.mu.end + f.mu.counted
	f.mu.Unlock()
	f.s.unreserve(n)
	// Even if it could not be recorded: a journal that ends in an answer is dropped too.
	if rerr := f.remove(); rerr != nil {
		return fmt.Errorf("removing the spool file of %q: %w", f.header.Key, rerr)
	}
	return err
}

// Close closes the files and leaves them for recovery.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.dropped {
		return nil
	}
	f.mu.dropped = true
	f.s.unreserve(f.mu.end + f.mu.counted)
	return closeAll(f.data, f.journal)
}

// remove takes the files away, the journal after the data.
func (f *File) remove() error {
	err := closeAll(f.data, f.journal)
	if rerr := removeEntry(f.s.fs, f.dir); rerr != nil {
		return rerr
	}
	return err
}

func closeAll(cs ...io.Closer) (err error) {
	for _, c := range cs {
		if f, ok := c.(DiskFile); ok && f != nil {
			if cerr := f.Close(); err == nil {
				err = cerr
			}
		}
	}
	return err
}
