package spool

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// fuzzKinds are the records that a line of a fuzzed journal can be, by its first word.
var fuzzKinds = map[string]kind{
	"open": kindOpen, "write": kindWrite, "truncate": kindTruncate, "seal": kindSeal, "attempt": kindAttempt,
	"answered": kindAnswered, "unlink": kindUnlink, "linked": kindLinked, "moved": kindMoved, "synced": kindSynced,
	"dropped": kindDropped, "begin": kindBegin, "end": kindEnd, "attributes": kindAttributes,
}

// framed makes a journal of lines "kind payload", each a record with a right checksum: no
// fuzzer finds a checksum. A write has the payload "offset length place", and its sum is that of
// the bytes in data. Other first words are kinds that nobody knows.
func framed(lines, data string) []byte {
	var journal []byte
	for line := range strings.Lines(lines) {
		word, payload, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		k, ok := fuzzKinds[word]
		if !ok {
			k = lastKind + 1
		}
		var w write
		if n, _ := fmt.Sscanf(payload, "%d %d %d", &w.off, &w.len, &w.data); k == kindWrite && n == 3 {
			if from := w.data; from >= 0 && w.len >= 0 && from <= int64(len(data)) && w.len <= int64(len(data))-from {
				w.sum = crc32.Checksum([]byte(data[from:from+w.len]), castagnoli)
			}
			journal = append(journal, w.encode()...)
			continue
		}
		journal = append(journal, endRecord(append(beginRecord(nil, k), payload...))...)
	}
	return journal
}

// leftSpool is a spool with one file, as a dead process left it.
func leftSpool(journal []byte, data string, ops []byte) *memFS {
	m := newMemFS()
	m.dirs["/spool/f-000001"] = true
	for name, b := range map[string][]byte{"format": []byte("2\n"), "ops": ops, "f-000001/journal": journal, "f-000001/data": []byte(data)} {
		m.files["/spool/"+name] = &memData{b: bytes.Clone(b)}
	}
	return m
}

// describe says everything that a scan found, for comparison.
func describe(s *Scan) string {
	var b strings.Builder
	for _, f := range s.Files {
		fmt.Fprintf(&b, "%q %q %+v %d %+v %v %v %v\n", f.name, f.Key, f.Base, f.BaseSize, f.Props, f.Attrs, f.Unlinked, f.Created)
		for _, seal := range f.Seals {
			fmt.Fprintf(&b, " %+v %+v %v %v %q\n", seal.Seal, seal.content, seal.Attempted, seal.Unleased, seal.sentTo)
		}
		if f.Tail != nil {
			fmt.Fprintf(&b, " tail %+v\n", f.Tail.content)
		}
	}
	fmt.Fprintf(&b, "%+v", s.Ops)
	return b.String()
}

// readable fails unless the snapshot is one of a file: its extents in order, within the file and
// within the data, and readable at both ends.
func readable(t *testing.T, s Snapshot, dataSize int64) {
	t.Helper()
	if s.Size() < 0 || s.content.base < 0 || s.content.base > s.Size() {
		t.Fatalf("a file of %d bytes, %d of them from the base", s.Size(), s.content.base)
	}
	var last int64
	for _, e := range s.content.ext {
		if e.len <= 0 || e.off < last || e.end() > s.Size() || e.data < 0 || e.data+e.len > dataSize {
			t.Fatalf("extent %+v after %d in a file of %d bytes with %d in the spool", e, last, s.Size(), dataSize)
		}
		last = e.end()
	}
	for _, off := range []int64{0, max(0, s.Size()-8)} {
		p := make([]byte, 8)
		if n, err := s.Reader(context.Background(), anyBase{}).ReadAt(p, off); err != nil && err != io.EOF || int64(n) != min(8, s.Size()-off) {
			t.Fatalf("reading at %d of %d: %d, %v", off, s.Size(), n, err)
		}
	}
}

type anyBase struct{}

func (anyBase) ReadAt(_ context.Context, p []byte, _ int64) (int, error) { return len(p), nil }

// allocated is how many bytes of memory were taken while f ran.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzScan: whatever stands in a file's journal and data, a scan neither panics nor takes much
// memory. What it finds is a file, and found again it is the same. Bytes that are no record after
// sound records change nothing, and bytes that were accepted are never removed unless the journal
// says that they are in the bucket or not needed.
func FuzzScan(f *testing.F) {
	const open = `open {"Format":2,"Key":"a","Base":{"ETag":"e"},"BaseSize":4,"Size":4,"Boot":"boot 0"}` + "\n"
	for _, lines := range []string{
		"", open, open + "write 0 5 0\n",
		open + "write 0 5 0\nseal {\"ID\":\"1\"}\nattempt {\"ID\":\"1\"}\nwrite 2 3 5\n",
		open + "write 0 5 0\nseal {\"ID\":\"1\"}\nwrite 9 2 5\nseal {\"ID\":\"2\",\"After\":\"1\"}\nanswered {\"ID\":\"1\",\"Landed\":true}\n",
		open + "write 0 5 0\ntruncate {\"Size\":3}\nsynced {\"Upto\":150}\n",
		open + "attributes {\"Meta\":{\"m\":\"1\"}}\nunlink\nlinked\nmoved {\"Key\":\"b\"}\n",
		open + "write 0 5 0\ndropped\n",
		"write 0 5 0\n" + open,
	} {
		f.Add(lines, []byte{}, "bytes and more", int64(0), int64(0), int64(0))
		f.Add(lines, []byte("\x05\x00\x00\x00torn"), "bytes and more", int64(4), int64(3), int64(8))
	}
	f.Fuzz(func(t *testing.T, lines string, torn []byte, data string, off, length, place int64) {
		if len(lines)+len(torn)+len(data) > 16<<10 {
			return
		}
		// The last write is one of any numbers, which a fuzzer finds sooner than their digits.
		if off != 0 || length != 0 || place != 0 {
			lines = fmt.Sprintf("%s\nwrite %d %d %d\n", strings.TrimSuffix(lines, "\n"), off, length, place)
		}
		journal := framed(lines, data)
		m := leftSpool(append(bytes.Clone(journal), torn...), data, nil)
		var scan *Scan
		took := allocated(func() { scan = scanned(t, m) })
		// A record becomes Go values of many times its size, the worst being an empty JSON
		// object in a list; beyond that there are the windows into the journal.
		if limit := uint64(1<<20 + 200*(len(journal)+len(torn))); took > limit {
			t.Errorf("the scan of %d bytes took %d of memory", len(journal)+len(torn), took)
		}
		if scan.Unread != nil || len(scan.Files)+len(scan.Bad) > 1 {
			t.Fatalf("%d files, bad %v, unread %v", len(scan.Files), scan.Bad, scan.Unread)
		}
		for _, file := range scan.Files {
			for _, seal := range file.Seals {
				readable(t, seal.Snapshot, int64(len(data)))
			}
			if file.Tail != nil {
				readable(t, *file.Tail, int64(len(data)))
			}
			if len(file.Seals) == 0 && file.Tail == nil && !file.Attrs {
				t.Error("a file with nothing to save was found")
			}
		}
		again := scanned(t, m)
		if got, want := describe(again), describe(scan); got != want {
			t.Errorf("found again:\n%s\nbefore:\n%s", got, want)
		}
		if !slices.Equal(slices.Sorted(maps.Keys(again.Bad)), slices.Sorted(maps.Keys(scan.Bad))) {
			t.Errorf("bad again: %v, before: %v", again.Bad, scan.Bad)
		}
		kept(t, m, scan, lines, data)
		if _, _, n := decode(torn); n == 0 && len(scan.Bad) == 0 {
			if want := describe(scanned(t, leftSpool(journal, data, nil))); describe(scan) != want {
				t.Errorf("with what is no record after it:\n%s\nwithout:\n%s", describe(scan), want)
			}
		}
	})
}

// kept fails if bytes are not there any more although the journal that told of them says nowhere
// that they may go.
func kept(t *testing.T, m *memFS, scan *Scan, lines, data string) {
	t.Helper()
	if strings.Contains("\n"+lines, "\nanswered") || strings.Contains("\n"+lines, "\ndropped") || data == "" || !strings.Contains("\n"+lines, "\nwrite ") {
		return
	}
	for _, dir := range []string{"f-000001", "bad-f-000001"} {
		if d := m.files["/spool/"+dir+"/data"]; d != nil && string(d.b) == data {
			return
		}
	}
	// The first record that cannot be read ends what was accepted.
	r, err := openRecords(leftSpool(framed(lines, data), data, nil), "/spool/f-000001/journal")
	must(t, err)
	_, _, n, err := r.decode(0)
	must(t, err)
	if k, p, _, err := r.decode(n); err == nil && k == kindWrite {
		if w, err := decodeWrite(p); err == nil && w.data+w.len <= int64(len(data)) {
			t.Errorf("accepted bytes were removed; found %s", describe(scan))
		}
	}
}
