package spool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// FuzzOps: whatever stands in the log of operations, what was begun and not ended before the
// first byte that is no record is found, and found again.
func FuzzOps(f *testing.F) {
	f.Add(`begin {"ID":"1","Key":"a","Kind":"delete"}`+"\n"+`begin {"ID":"2","Key":"b","Kind":"upload","Upload":"u"}`+"\n"+`end {"ID":"1"}`, []byte{})
	f.Add(`begin {"ID":"1","Key":"a","Kind":"put"}`+"\nend\n"+`begin {"ID":"1","Key":"b","Kind":"put"}`, []byte("\x05\x00\x00\x00torn"))
	f.Add(`end {"ID":"1"}`+"\nsynced\n", []byte{1})
	f.Fuzz(func(t *testing.T, lines string, torn []byte) {
		if len(lines)+len(torn) > 16<<10 {
			return
		}
		log := append(framed(lines, ""), torn...)
		m := leftSpool(nil, "", log)
		var scan *Scan
		took := allocated(func() { scan = scanned(t, m) })
		if limit := uint64(1<<20 + 200*len(log)); took > limit {
			t.Errorf("the scan of %d bytes took %d of memory", len(log), took)
		}
		if _, _, n := decode(torn); n > 0 {
			return
		}
		want, readable := openOpsOf(lines)
		if _, bad := scan.Bad[opsName]; bad == readable {
			t.Fatalf("bad %v", scan.Bad)
		}
		if readable && !sameOps(scan.Ops, want) {
			t.Errorf("found %+v, want %+v", scan.Ops, want)
		}
		for _, op := range scan.Ops {
			if op.Kind != OpUpload && !scan.Unanswered(op.Key) {
				t.Errorf("%+v may still land, and that is not said", op)
			}
		}
		if got := scanned(t, m); describe(got) != describe(scan) || !errors.Is(got.Unread, scan.Unread) {
			t.Errorf("found again %s, before %s", describe(got), describe(scan))
		}
	})
}

// sameOps tells whether two lists have the same operations, in whatever order.
func sameOps(a, b []Op) bool {
	byText := func(a, b Op) int { return strings.Compare(fmt.Sprintf("%+q", a), fmt.Sprintf("%+q", b)) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), byText), slices.SortedFunc(slices.Values(b), byText))
}

// openOpsOf is the plain reading of a log: each end takes away what has begun with its name.
func openOpsOf(lines string) (open []Op, readable bool) {
	for line := range strings.Lines(lines) {
		word, payload, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		var op Op
		var end opEnd
		var err error
		switch word {
		case "begin":
			err = unmarshal([]byte(payload), &op)
			end = op.end()
		case "end":
			err = unmarshal([]byte(payload), &end)
		default:
			continue
		}
		if err != nil {
			return nil, false
		}
		open = slices.DeleteFunc(open, func(o Op) bool { return o.end() == end })
		if word == "begin" {
			open = append(open, op)
		}
	}
	return open, true
}
