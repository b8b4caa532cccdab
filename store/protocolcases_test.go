package store_test

import (
	"slices"
	"strings"
	"testing"
)

// The search finds what is wrong with each weaker protocol, and nothing with the right one.
//
// Both looks of LOCKS P5 alone are not that. If A's attempt leaves the ETag, B may have looked
// under the lease before it, and B's condition passes over it afterwards: A was told that its
// change is saved, and nobody sees it go. So the attempt has to bring an ETag that the key has
// not had, as far as A knows, or B has to look below its version too.
func TestProtocol(t *testing.T) {
	with := func(p protocol, set func(*protocol)) protocol { set(&p); return p }
	alone := protocol{ops: [2]int8{1, 2}, foreign: 1, contents: 2}
	looks := with(alone, func(p *protocol) { p.before, p.after = true, true })
	right := with(looks, func(p *protocol) { p.fresh = true })
	more := func(p *protocol) { p.ops, p.contents = [2]int8{2, 1}, 3 } // A makes two attempts
	leased := protocol{ops: [2]int8{1, 1}, foreign: 2, contents: 2, leased: true}
	for _, c := range []struct {
		name string
		p    protocol
		want string
	}{
		{"a: the ETag alone", alone, "undone by A, undone by B, theirs lost, needless"},
		{"b: the look before", with(alone, func(p *protocol) { p.before = true }), "undone by A, undone by B, theirs lost"},
		{"c: the look after", with(alone, func(p *protocol) { p.after = true }), "undone by B, needless"},
		{"d: both looks", looks, "undone by B"},
		{"d: both looks, B looks below too", with(looks, func(p *protocol) { p.wary = true }), ""},
		{"d: both looks, another ETag, twice", with(with(looks, more), func(p *protocol) { p.changes = true }), "undone by B"},
		{"d: both looks, a new ETag", right, ""},
		{"d: both looks, a new ETag, twice", with(right, more), ""},
		{"d: both looks, a new ETag, two foreign writes", with(right, func(p *protocol) { p.ops[1], p.foreign = 1, 2 }), ""},
		{"d: by an upload", with(right, func(p *protocol) { p.upload[0] = true }), ""},
		{"d: by an upload that is not looked at", with(right, func(p *protocol) { p.upload[0], p.blind = true, true }), "never current"},
		{"d: B makes uploads", with(right, func(p *protocol) { p.upload[1] = true }), ""},
		{"d: both make uploads", with(right, func(p *protocol) { p.upload = [2]bool{true, true} }), ""},
		{"with leases", leased, ""},
		{"with leases, sent again early", with(leased, func(p *protocol) { p.early = true }), "undone by A, undone by B, twice"},
		{"with leases, stolen while something large may still land", with(leased, func(p *protocol) { p.hasty = true }), "undone by A, undone by B"},
		{"with leases, conditions ignored", with(leased, func(p *protocol) { p.ignored = true }), "blindly"},
		{"with leases, conditions of uploads ignored", with(leased, func(p *protocol) { p.upload[0], p.ignored = true, true }), "blindly"},
		{"with leases, A by uploads and B not", with(leased, func(p *protocol) { p.upload[0] = true }), ""},
		{"with leases, by uploads", with(leased, func(p *protocol) { p.upload = [2]bool{true, true} }), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ways, n := c.p.explore()
			found := slices.DeleteFunc(slices.Clone(wrongs), func(name string) bool { return ways[name] == "" })
			if got := strings.Join(found, ", "); got != c.want || n < 1000 {
				t.Errorf("%d moments, wrong is %q, want %q", n, got, c.want)
			}
			for _, name := range found {
				t.Logf("%s: %s", name, ways[name])
			}
		})
	}
}
