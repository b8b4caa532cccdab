package conformance

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"hash/crc32"
	"hash/crc64"
	"io"
	"math/rand/v2"
)

// data gives n bytes that look random and depend on the seed.
func data(seed byte, n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(uint64(seed), 7))
	for i := 0; i+8 <= n; i += 8 {
		v := r.Uint64()
		for j := 0; j < 8; j++ {
			b[i+j] = byte(v >> (8 * j))
		}
	}
	for i := n &^ 7; i < n; i++ {
		b[i] = byte(r.Uint64())
	}
	return b
}

func md5hex(b []byte) string { s := md5.Sum(b); return hex.EncodeToString(s[:]) }

const nvmePoly = 0x9a6c9329ac4bc9b5 // CRC64NVME, reflected

func crc64nvme(b []byte) string {
	s := crc64.Checksum(b, crc64.MakeTable(nvmePoly))
	var o [8]byte
	for i := 0; i < 8; i++ {
		o[i] = byte(s >> (56 - 8*i))
	}
	return base64.StdEncoding.EncodeToString(o[:])
}

func crc32b64(b []byte) string {
	s := crc32.ChecksumIEEE(b)
	return base64.StdEncoding.EncodeToString([]byte{byte(s >> 24), byte(s >> 16), byte(s >> 8), byte(s)})
}

// countReader counts what is read through it.
type countReader struct {
	r io.Reader
	n int
}

func (c *countReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += n
	return n, err
}
