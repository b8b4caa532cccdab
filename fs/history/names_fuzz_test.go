package history

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchfs/latchfs/store"
)

// FuzzVersionNames: whatever ids and times a bucket gives its versions, each has a name of a path
// that no other one has and by which it is found, in the order of text as in that of time, and it keeps
// the name when versions are added in a later second or the newest ones are removed. A version is one line of the id; its first
// byte moves the time forward or back.
func FuzzVersionNames(f *testing.F) {
	for _, ids := range []string{
		"", "0abcdefghi\n0abcdefghj\n1abcdefghk", "zabc\nyabc\nxdef", "0\n0\n0null\n5", "0a/b\n0a_b\n0../..\n0\xff\x00~deleted",
		strings.Repeat("0same-id-but-for-its-end\n", 3) + "0same-id-but-for-its-enD", strings.Repeat("0x\n", 1100),
	} {
		f.Add(ids, []byte{0, 1, 1, 0}, int64(1763836145))
	}
	f.Fuzz(func(t *testing.T, ids string, deleted []byte, at int64) {
		lines := strings.Split(ids, "\n")
		if len(lines) > 1200 || len(ids) > 16<<10 {
			return
		}
		at &= 1<<37 - 1 // to the year 6325: an answer cannot say more than 9999
		var versions []Version
		for i, line := range lines {
			if line == "" {
				continue
			}
			at += int64(line[0]) - '0'
			id := line[1:min(len(line), 65)] // known stores have at most 36
			versions = append(versions, Version{
				Info:    store.Info{VersionID: id, LastModified: time.Unix(at, int64(line[0])<<20)},
				Deleted: i < len(deleted) && deleted[i]%2 == 1,
			})
		}
		name := func(n int) []string {
			some := slices.Clone(versions[:n])
			setTimes(some)
			setNames(some)
			var names []string
			for _, v := range some {
				names = append(names, v.Name)
			}
			return names
		}
		setTimes(versions)
		again := map[string]bool{"": true, "null": true} // ids that several may have: in no bucket
		for i, v := range versions {
			again[v.Info.VersionID] = again[v.Info.VersionID] || slices.ContainsFunc(versions[:i], func(o Version) bool { return o.Info.VersionID == v.Info.VersionID })
		}
		names := name(len(versions))
		seen := make(map[string]bool)
		for i, n := range names {
			if n == "" || n == "." || n == ".." || len(n) > 255 || strings.ContainsAny(n, "/\x00\n") || strings.ToValidUTF8(n, "") != n {
				t.Errorf("the name %q", n)
			}
			if seen[n] {
				t.Errorf("two versions are %q", n)
			}
			seen[n] = true
			if strings.HasSuffix(n, deletedMark) != versions[i].Deleted || strings.HasSuffix(n, metaMark) {
				t.Errorf("%q, deleted: %v", n, versions[i].Deleted)
			}
			if v, ok := Named(versions, n); !ok || v.Info.VersionID != versions[i].Info.VersionID && !again[versions[i].Info.VersionID] {
				t.Errorf("%q of %q finds %q, %v", n, versions[i].Info.VersionID, v.Info.VersionID, ok)
			}
			if i > 0 && names[i-1] >= n {
				t.Errorf("%q before %q", names[i-1], n)
			}
		}
		// What is added in the same second may make a name longer.
		older := name(len(versions) / 2)
		if len(older) < len(names) {
			next := versions[len(older)].Time.Unix()
			older = slices.DeleteFunc(older, func(n string) bool { s, _, _ := parseName(n, ""); return s == next })
		}
		if !slices.Equal(older, names[:len(older)]) {
			t.Errorf("names changed:\n%q\n%q", older, names[:len(older)])
		}
	})
}
