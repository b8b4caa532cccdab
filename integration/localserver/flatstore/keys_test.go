package flatstore

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func randomKey(r *rand.Rand) string {
	const bytes = "\x00\x00\x01\x02ab/\xfe\xff\xff"
	var b strings.Builder
	for range 1 + r.IntN(6) {
		b.WriteByte(bytes[r.IntN(len(bytes))])
	}
	return b.String()
}

// Row keys sort by key, and the versions of a key newest first, whatever bytes are in it.
func TestRowKeyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	type row struct {
		key string
		seq uint64
	}
	var rows []row
	for range 3000 {
		rows = append(rows, row{randomKey(r), 1 + r.Uint64N(3)})
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(strings.Compare(a.key, b.key), -cmp.Compare(a.seq, b.seq))
	})
	rows = slices.Compact(rows)
	for i, a := range rows {
		k := rowKey(a.key, a.seq)
		if key, seq := splitRowKey(k); key != a.key || seq != a.seq {
			t.Fatalf("%q %d is read back as %q %d", a.key, a.seq, key, seq)
		}
		if bytes.Compare(keyStart(a.key), k) >= 0 || bytes.Compare(k, keyEnd(a.key)) >= 0 {
			t.Errorf("%q %d is not between the start and the end of its key", a.key, a.seq)
		}
		if i == 0 {
			continue
		}
		b := rows[i-1]
		if bytes.Compare(rowKey(b.key, b.seq), k) >= 0 {
			t.Fatalf("%q %d does not sort before %q %d", b.key, b.seq, a.key, a.seq)
		}
		if a.key != b.key && bytes.Compare(keyEnd(b.key), k) >= 0 {
			t.Errorf("the end of %q is not before %q", b.key, a.key)
		}
	}
}

func TestPrefixEnd(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 3000 {
		prefix, key := randomKey(r), randomKey(r)
		if r.IntN(2) == 0 {
			key = prefix + key
		}
		k, end := rowKey(key, 1), prefixEnd(prefix)
		below := bytes.Compare(k, escapeKey(prefix)) >= 0 && (end == nil || bytes.Compare(k, end) < 0)
		if below != strings.HasPrefix(key, prefix) {
			t.Fatalf("key %q within the range of prefix %q: %v", key, prefix, below)
		}
	}
}

func TestVersionID(t *testing.T) {
	for _, seq := range []uint64{1, 1 << 40, 1<<64 - 1} {
		a, b := newVersionID(seq), newVersionID(seq)
		if a[:8] == b[:8] {
			t.Errorf("two ids of sequence %d begin with the same: %s, %s", seq, a, b)
		}
		if got, ok := parseVersionID(a); !ok || got != seq {
			t.Errorf("id of %d is read as %d, %v", seq, got, ok)
		}
	}
	for _, id := range []string{"", "null", "no-such-version", strings.Repeat("g", 32), strings.Repeat("0", 33)} {
		if _, ok := parseVersionID(id); ok {
			t.Errorf("%q passes for an id", id)
		}
	}
}

func TestRowCodec(t *testing.T) {
	c := content{Extents: []extent{{segmentID{1}, 0, 7}, {segmentID{2}, 1 << 40, 3}}, Parts: []int64{7, 3}}
	got, err := decodeContent(c.encode())
	if err != nil || !slices.Equal(got.Extents, c.Extents) || !slices.Equal(got.Parts, c.Parts) {
		t.Errorf("content is read back as %+v, %v", got, err)
	}
	for n := range len(c.encode()) {
		if _, err := decodeContent(c.encode()[:n]); err == nil {
			t.Errorf("content cut off after %d bytes is read", n)
		}
	}
	want := version{ID: "x", attributes: attributes{Meta: map[string][]byte{"k": {0xff, 0, '\n'}}}}
	b, err := encodeRow(want, []byte("\ntail"))
	if err != nil {
		t.Fatal(err)
	}
	var v version
	tail, err := decodeRow(b, &v)
	if err != nil || string(tail) != "\ntail" || string(v.Meta["k"]) != "\xff\x00\n" {
		t.Errorf("row is read back as %+v, tail %q, %v", v, tail, err)
	}
	if _, err := decodeRow([]byte("{}"), &v); err == nil {
		t.Error("a row without its tail is read")
	}
}

func TestSlice(t *testing.T) {
	c := content{Extents: []extent{{segmentID{1}, 10, 5}, {segmentID{2}, 0, 1}, {segmentID{3}, 7, 4}}}
	for off := int64(0); off <= 10; off++ {
		for n := int64(0); off+n <= 10; n++ {
			var want []extent
			for i, pos := off, int64(0); i < off+n; i++ { // byte by byte
				pos = i
				for _, e := range c.Extents {
					if pos < e.Len {
						last := len(want) - 1
						if last >= 0 && want[last].ID == e.ID {
							want[last].Len++
						} else {
							want = append(want, extent{e.ID, e.Off + pos, 1})
						}
						break
					}
					pos -= e.Len
				}
			}
			if got := c.slice(off, n); !slices.Equal(got, want) {
				t.Errorf("%d bytes from %d: %v, want %v", n, off, got, want)
			}
		}
	}
}
