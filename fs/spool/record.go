package spool

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/latchfs/latchfs/store"
)

// Format is the version of the layout and of the records that this program writes.
const Format = 2

// oldestFormat is the oldest version that ScanDir reads. Format 1 had one seal at a time
// (no After), no kindAttributes, and neither Unleased nor Upload.
const oldestFormat = 1

// A record in a journal is: length of the payload (4 bytes, little endian), CRC-32C of
// kind and payload (4 bytes), kind (1 byte), payload.
const recordHead = 9

// maxRecord bounds the payload, so that a torn length is not believed.
const maxRecord = 1 << 20

type kind uint8

const (
	kindOpen       kind = 1 + iota // Header: the first record of a file's journal
	kindWrite                      // write: bytes stand in the data file
	kindTruncate                   // truncate: another size
	kindSeal                       // Seal: asked to be saved as it is at this point
	kindAttempt                    // attempt: a request that may change the bucket is about to start
	kindAnswered                   // answer: the outcome of the seal is known
	kindUnlink                     // the name is about to be deleted
	kindLinked                     // it was not
	kindMoved                      // Header: the file has another name and base now
	kindSynced                     // synced: the journal and its bytes are on the disk up to here
	kindDropped                    // nothing of this is needed any more
	kindBegin                      // Op: a mutation without data is about to start
	kindEnd                        // opEnd: its outcome is known
	kindAttributes                 // store.Props: what the next version has, changed by chmod and the like

	lastKind = kindAttributes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Header says which file the bytes belong to and what it grew from.
type Header struct {
	Format int
	Key    string
	// Base is the version whose first BaseSize bytes show where nothing was written.
	Base     store.Base
	BaseSize int64
	// Size is the size of the file when the journal begins: BaseSize, or 0 when it was
	// truncated or is new.
	Size int64
	// Props are what the next version keeps of the base, with the attributes as they were
	// when the journal begins.
	Props store.Props
	// Boot is that of FS when the journal begins.
	Boot string `json:",omitempty"`
	// Created is the host's clock, for people.
	Created time.Time
}

// A Seal is what close or fsync asked to be saved: the content at this point, with these
// properties, under the condition of this base.
type Seal struct {
	ID store.WriteID
	// After is the seal before this one, if that had no answer when this one was made, else
	// "". A seal holds all changes of the file, so it replaces those that it does not follow,
	// directly or through others.
	After store.WriteID `json:",omitempty"`
	// Base is the version that this one is to replace. Where After is set, it is the
	// version that After becomes, and this field says nothing until After has landed.
	Base  store.Base
	Props store.Props
	// Copy: only the properties changed, and the version is made by a copy.
	Copy bool
	// Audit is who asked; zero in a journal of an older program.
	Audit store.Audit `json:",omitzero"`
}

type truncation struct{ Size int64 }

// attempt says that a request of the seal ID may be on its way from now on.
type attempt struct {
	ID       store.WriteID
	Unleased bool `json:",omitempty"`
}

type synced struct{ Upto int64 }

// answer ends the attempts of a seal. Base is the new version if it was Landed.
type answer struct {
	ID     store.WriteID
	Landed bool
	Base   store.Base
}

// An Op is a mutation that has no bytes in the spool, or an upload.
type Op struct {
	ID   store.WriteID
	Key  string
	Base store.Base
	Kind string // "delete", "put", "copy", OpUpload
	// Upload is the id of the multipart upload of an OpUpload.
	Upload string `json:",omitempty"`
}

// OpUpload is the Kind of a multipart upload that was begun. It publishes nothing by
// itself: the request that completes it is an attempt of a seal, or an Op of its own. It
// is open until the upload was completed or aborted.
const OpUpload = "upload"

// opEnd ends the Op with this id and this upload: a write and its uploads share the id.
type opEnd struct {
	ID     store.WriteID
	Upload string `json:",omitempty"`
}

func (op Op) end() opEnd { return opEnd{op.ID, op.Upload} }

// write is a kindWrite payload: off, len, data (8 bytes each), CRC-32C of the bytes.
type write struct {
	extent
	sum uint32
}

const writeSize = 28

func (w write) encode() []byte {
	b := make([]byte, 0, recordHead+writeSize)
	b = beginRecord(b, kindWrite)
	b = binary.LittleEndian.AppendUint64(b, uint64(w.off))
	b = binary.LittleEndian.AppendUint64(b, uint64(w.len))
	b = binary.LittleEndian.AppendUint64(b, uint64(w.data))
	b = binary.LittleEndian.AppendUint32(b, w.sum)
	return endRecord(b)
}

func decodeWrite(p []byte) (write, error) {
	if len(p) != writeSize {
		return write{}, fmt.Errorf("write record of %d bytes", len(p))
	}
	w := write{sum: binary.LittleEndian.Uint32(p[24:])}
	w.off = int64(binary.LittleEndian.Uint64(p))
	w.len = int64(binary.LittleEndian.Uint64(p[8:]))
	w.data = int64(binary.LittleEndian.Uint64(p[16:]))
	if w.off < 0 || w.len < 0 || w.data < 0 || w.off+w.len < 0 || w.data+w.len < 0 {
		return write{}, fmt.Errorf("write record with negative numbers")
	}
	return w, nil
}

func encode(k kind, v any) ([]byte, error) {
	b := beginRecord(nil, k)
	if v != nil {
		p, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		if len(p) > maxRecord {
			return nil, fmt.Errorf("record of %d bytes", len(p))
		}
		b = append(b, p...)
	}
	return endRecord(b), nil
}

func beginRecord(b []byte, k kind) []byte {
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0, byte(k))
}

func endRecord(b []byte) []byte {
	binary.LittleEndian.PutUint32(b, uint32(len(b)-recordHead))
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	return b
}

// decode reads the record at the start of b. n is its length; 0 means that there is no
// whole and sound record.
func decode(b []byte) (k kind, payload []byte, n int) {
	if len(b) < recordHead {
		return 0, nil, 0
	}
	size := binary.LittleEndian.Uint32(b)
	if size > maxRecord || int(size) > len(b)-recordHead {
		return 0, nil, 0
	}
	n = recordHead + int(size)
	if crc32.Checksum(b[8:n], castagnoli) != binary.LittleEndian.Uint32(b[4:]) || b[8] == 0 {
		return 0, nil, 0
	}
	return kind(b[8]), b[recordHead:n], n
}
