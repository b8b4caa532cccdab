package fs

import (
	"testing"
	"testing/synctest"
	"time"
)

// A file that another host renames keeps its number on a host that has shown it under its old name,
// and has not looked that up since. SEMANTICS Attributes and times
func TestNumberOfWhatAnotherHostRenamed(t *testing.T) {
	for _, look := range []string{"lookup", "list"} {
		for _, then := range []string{"", "made again"} {
			t.Run(look+then, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					other := newWorldOn(t, w.bucket)
					other.save("a", "x")
					want := w.number("a")
					other.ok("rename", other.rename(root, "a", root, "z"))
					if then != "" {
						other.save("a", "y")
					}
					time.Sleep(2 * testTTL)
					if look == "list" { // of what was looked up ahead
						if _, err := w.front.tree.Lookup(t.Context(), "", "z"); err != nil {
							t.Fatal(err)
						}
						if _, listed := w.entries(root); listed["z"] != want {
							t.Errorf("readdir shows number %d, want %d", listed["z"], want)
						}
					}
					if got := w.number("z"); got != want || other.number("z") != want {
						t.Errorf("z has number %d, and %d on the other host, want %d", got, other.number("z"), want)
					}
					if then == "" {
						w.missing(root, "a")
					} else if got := w.number("a"); got == want || got != other.number("a") {
						t.Errorf("a has number %d, and %d on the other host; z has %d", got, other.number("a"), want)
					}
				})
			})
		}
	}
}

// As long as the old file is open here it keeps its number, which no other one gets.
func TestNumberOfWhatIsOpenAndWasRenamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		other := newWorldOn(t, w.bucket)
		other.save("a", "x")
		n := w.find(root, "a")
		d := w.open(n, 0)
		other.ok("rename", other.rename(root, "a", root, "z"))
		time.Sleep(2 * testTTL)
		if got := w.number("z"); got == w.inode(n) {
			t.Errorf("z and the file that is open have both the number %d", got)
		}
		if got := w.links(n); got != 1 {
			t.Errorf("the open file has %d names", got)
		}
		w.close(d)
	})
}
