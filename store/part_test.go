package store

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"testing"
)

// Parts are as small as S3's limit on their number lets them be.
func TestPartSize(t *testing.T) {
	for _, size := range []int64{PartSize + 1, 78 << 30, 79 << 30, 1 << 40, MaxObject} {
		for _, least := range []int64{PartSize, copySize} {
			p := partSize(size, least)
			if n := (size + p - 1) / p; n > MaxParts || p < least || p > least && (size+p-(1<<20)-1)/(p-(1<<20)) <= MaxParts {
				t.Errorf("%d bytes in %d parts of %d", size, n, p)
			}
			if p > 5<<30 {
				t.Errorf("a part of %d bytes", p)
			}
		}
	}
}

// A part larger than a buffer is sent whole, with its checksum, and holds no buffer.
func TestPartLargerThanBuffer(t *testing.T) {
	content := make([]byte, 2*PartSize+200)
	for i := range content {
		content[i] = byte(i >> 10)
	}
	c := New(nil, Options{})
	const off, n = 100, PartSize + 50
	for range 2 * maxBuffers {
		a := attempt{op: "UploadPart", permit: Unleased("test"), limit: defaultStall}
		l, err := c.load(t.Context(), a, Body{ReaderAt: bytes.NewReader(content), Size: int64(len(content))}, off, n, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := &body{load: l, permit: a.permit, watch: watched(t)}
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, content[off:off+n]) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		sum := crc32.Checksum(got, crc32.MakeTable(crc32.Castagnoli))
		if want := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum)); l.sum != want {
			t.Fatalf("checksum %s, want %s", l.sum, want)
		}
	}
}

// watched gives the watch of an attempt.
func watched(t *testing.T) *watch {
	_, w := startWatch(t.Context(), defaultStall)
	t.Cleanup(w.end)
	return w
}

// What reads a body after its attempt is over gets nothing: the buffer may be another's.
func TestBodyAfterAttempt(t *testing.T) {
	b := &body{load: load{from: bytesAt("0123456789"), size: 10}, permit: Unleased("test"), watch: watched(t)}
	p := make([]byte, 4)
	if n, err := b.Read(p); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := b.Seek(-2, io.SeekEnd); n != 8 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := b.Read(p); n != 2 || err != nil || string(p[:2]) != "89" {
		t.Fatal(n, err)
	}
	if n, err := b.Seek(-3, io.SeekCurrent); n != 7 || err != nil {
		t.Fatal(n, err)
	}
	if _, err := b.Seek(-1, io.SeekStart); err == nil {
		t.Error("a negative position")
	}
	b.end()
	if n, err := b.Read(p); n != 0 || !errors.Is(err, errOver) {
		t.Errorf("after the end: %d, %v", n, err)
	}
}
