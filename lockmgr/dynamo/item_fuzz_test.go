package dynamo

import (
	stdstrings "strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/latchfs/latchfs/lockmgr"
)

// itemOf makes an item of lines "name type value".
func itemOf(lines string) item {
	it := make(item)
	for line := range stdstrings.Lines(lines) {
		name, rest, _ := stdstrings.Cut(stdstrings.TrimSuffix(line, "\n"), " ")
		kind, value, _ := stdstrings.Cut(rest, " ")
		switch kind {
		case "S":
			it[name] = str(value)
		case "N":
			it[name] = &types.AttributeValueMemberN{Value: value}
		case "SS":
			it[name] = set(stdstrings.Split(value, ","))
		case "NULL":
			it[name] = &types.AttributeValueMemberNULL{Value: true}
		default:
			it[name] = nil
		}
	}
	return it
}

// FuzzItem: whatever attributes an item of the lock table has, of whatever types, reading it says
// of each field what stands there, if it has the field's type. A lock is free only if it has no
// nonce, and a session is what its text says.
func FuzzItem(f *testing.F) {
	for _, lines := range []string{
		"", "sid S s\nnonce S n\nhost S h\nsince S 2026-11-28T12:00:00.5Z", "nonce N 5", "sid S s\nnonce S ",
		"state S alive\nbeat N 5\nhost S h\nuser S u\npid N 7\nversion S v\nmail SS a,b", "state SS alive\nbeat S 5\nmail S a",
		"state NULL\nbeat N 99999999999999999999\npid N 1e3", "since S yesterday\nnonce S n", "state",
	} {
		f.Add(lines)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		it := itemOf(lines)
		s := func(name string) string {
			if v, ok := it[name].(*types.AttributeValueMemberS); ok {
				return v.Value
			}
			return ""
		}
		l := readLock("k", it)
		if s("nonce") == "" && l != (lockmgr.Lock{}) {
			t.Errorf("a lock without a nonce: %+v", l)
		}
		if s("nonce") != "" && (l.Name != "k" || l.Nonce != s("nonce") || l.SID != s("sid") || l.Host != s("host")) {
			t.Errorf("%+v of %v", l, it)
		}
		if l.Nonce != "" && !l.Since.IsZero() {
			// What we write of it is read as the same.
			it["since"] = str(l.Since.UTC().Format(time.RFC3339Nano))
			if again := readLock("k", it); l.Since.UTC().Year() <= 9999 && !again.Since.Equal(l.Since) {
				t.Errorf("since %v, then %v", l.Since, again.Since)
			}
		}
		got := readSession("s", it)
		if got.SID != "s" || string(got.State) != s("state") || got.Host != s("host") || got.User != s("user") || got.Version != s("version") {
			t.Errorf("%+v of %v", got, it)
		}
		n, ok := it["beat"].(*types.AttributeValueMemberN)
		if got.Beat != 0 && (!ok || num(got.Beat).(*types.AttributeValueMemberN).Value != plain(n.Value)) {
			t.Errorf("beat %d of %v", got.Beat, it["beat"])
		}
		if mail := stringSet(it, "mail"); len(mail) > 0 && it["mail"] == nil {
			t.Errorf("mail %q", mail)
		}
	})
}

// plain writes a whole number without what does not count.
func plain(n string) string {
	sign := ""
	if stdstrings.HasPrefix(n, "-") {
		sign = "-"
	}
	return sign + stdstrings.TrimLeft(stdstrings.TrimLeft(n, "+-"), "0")
}
