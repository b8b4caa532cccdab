package shell

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{
		"":                  "''",
		"/mnt/a":            "/mnt/a",
		"s3://bucket/a~b/":  "s3://bucket/a~b/",
		"--lock=x":          "--lock=x",
		"/mnt/my photos":    "'/mnt/my photos'",
		"it's":              `'it'\''s'`,
		"~/x":               "'~/x'",
		"a;b":               "'a;b'",
		"$HOME":             "'$HOME'",
		"http://h/?a=1&b=2": "'http://h/?a=1&b=2'",
		"ü":                 "'ü'",
		"a\nb":              "'a\nb'",
	} {
		if got := Quote(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}

// A shell reads the words back as they were.
func TestJoinIsReadBack(t *testing.T) {
	words := []string{"", "a b", "it's", `"`, `\`, "*", "~", "$x", "`id`", "#", "!", "{a,b}", "a\nb", "-n", "x=1", "(", "ü"}
	out, err := exec.Command("sh", "-c", `for w in `+Join(words...)+`; do printf '%s\000' "$w"; done`).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for _, w := range words {
		want += w + "\x00"
	}
	if string(out) != want {
		t.Errorf("%q, want %q", out, want)
	}
}

// What a terminal would act on is written so that it does not, and bash reads it back.
func TestVisible(t *testing.T) {
	for _, word := range []string{"a b", "/mnt/x", "a\nb\n", "\x1b[31mred", "it's\t\\", "bad\xff1", "ü\r1", "\u009b1m", "\u202eabc", ""} {
		text := Visible(word)
		if strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) || r == '\uFFFD' }) {
			t.Errorf("%q is shown as %q", word, text)
		}
		out, err := exec.Command("bash", "-c", "printf %s "+text).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q: bash reads %s as %q, %v", word, text, out, err)
		}
	}
}
