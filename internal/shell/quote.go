// Package shell writes words as a shell reads them, for commands that messages tell the reader to run.
package shell

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// plain is a word that means itself in every POSIX shell. A tilde means a home directory only at
// the beginning of a word, and an equals sign an assignment only before the command.
var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+:,./=-][A-Za-z0-9_@%+:,./=~-]*$`)

// Quote gives the word as it is, or between single quotes where a shell would not take it for one
// word, or for another one.
func Quote(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Join gives a command line of these words.
func Join(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = Quote(w)
	}
	return strings.Join(quoted, " ")
}

// Visible is Quote for a word that may have control characters in it, which must not reach a terminal
// as they are: bash, zsh and POSIX 2024 read $'...'.
func Visible(word string) string {
	if !utf8.ValidString(word) || strings.ContainsFunc(word, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return escaped(word)
	}
	return Quote(word)
}

func escaped(word string) string {
	var b strings.Builder
	b.WriteString("$'")
	for i := range len(word) {
		switch c := word[i]; {
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\'', c == '\\':
			b.WriteString(`\` + string(c))
		case c < ' ', c > '~':
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + "'"
}
